/** Debian's kernels: which packages make up a release, what the archive has of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { kernelPartsGone, kernelUnknown } from '../diagnostics/kernel.ts';
import { writeFileWhole } from '../support/files.ts';
import { archivePackages, type ListOptions, listsAge, packagesNamed } from './apt.ts';
import { isKept } from './debs.ts';
import { nearest } from './nearest.ts';
import type { Options } from './options.ts';
import { type ArchivePackage, compareVersions } from './packages.ts';
import { debsDir } from './places.ts';
import { SHELVES, shelvesFor } from './shelves.ts';

/** The packages of one release, all of one version. */
export interface DebianKernel {
  readonly release: string;
  /** Of the image package: `6.1.192-1`. The source package's version is the same string; `uname -r` does not tell it. */
  readonly version: string;
  /** One package; up to four since 7.x. */
  readonly image: readonly ArchivePackage[];
  readonly headers: ArchivePackage;
  readonly source: ArchivePackage;
}

export interface AvailableKernel {
  readonly release: string;
  readonly version: string;
  /** Names of the packages that are gone from the archive; empty when the kernel can be fetched. */
  readonly missing: readonly string[];
  /** The compiler that the headers ask for, and its newest version in the archive: `gcc-14 14.2.0-19`; absent when they are gone. */
  readonly compiler?: string;
  /** The shelf that it lies on (`shelves.ts`); absent: the system's own sources. */
  readonly shelf?: string;
}

/** What the archive offers, oldest first: in the system's own sources, or on every shelf beside them. */
export async function listAvailable(options: Options & { readonly all?: boolean }): Promise<AvailableKernel[]> {
  const system = await archivePackages(options);
  const shelves = options.all === true ? SHELVES.map(({ name }) => name) : [];
  const others = await Promise.all(shelves.map((shelf) => archivePackages({ ...options, shelf })));
  const found = new Map<string, Choice>();
  const compilers = await compilersOf([undefined, ...shelves], [system, ...others].flat(), options);
  for (const packages of [system, ...others]) {
    for (const choice of releasesOf(packages).flatMap((release) => choose(packages, release))) {
      const key = `${choice.offer.release} ${choice.offer.version}`;
      if (found.get(key)?.plan === undefined) found.set(key, choice);
    }
  }
  return [...found.values()]
    .map(({ offer }) => withCompiler(offer, compilers))
    .sort((a, b) => compareVersions(a.release, b.release) || compareVersions(a.version, b.version));
}

/** The newest release of a kind that is offered whole; undefined when there is none. */
export function newestWhole(offered: readonly AvailableKernel[], kind: RegExp): string | undefined {
  return offered.findLast(({ release, missing }) => kind.test(release) && missing.length === 0)?.release;
}

/** The newest version of each compiler that headers ask for, on whatever shelf. */
async function compilersOf(
  shelves: readonly (string | undefined)[],
  packages: readonly ArchivePackage[],
  options: Options,
): Promise<Map<string, string>> {
  const names = [...new Set(packages.flatMap((each) => compilerOf(each) ?? []))];
  const newest = new Map<string, string>();
  for (const shelf of shelves) {
    for (const { name, version } of await packagesNamed(names, shelf === undefined ? options : { ...options, shelf })) {
      const known = newest.get(name);
      if (known === undefined || compareVersions(known, version) < 0) newest.set(name, version);
    }
  }
  return newest;
}

/** Only the image tells the exact version that is needed: that the archive has the compiler at all is what can be said before it is unpacked. */
function withCompiler(offer: AvailableKernel, newest: ReadonlyMap<string, string>): AvailableKernel {
  const { compiler } = offer;
  if (compiler === undefined) return offer;
  const version = newest.get(compiler);
  return version === undefined
    ? { ...offer, missing: [...offer.missing, compiler] }
    : { ...offer, compiler: `${compiler} ${version}` };
}

/** linux-compiler-gcc-12-x86, gcc-14, gcc-16-for-host: what the headers of a kernel ask for. */
function compilerOf({ name, depends }: ArchivePackage): string | undefined {
  return name.startsWith('linux-headers-') ? /\bgcc-\d+\b/.exec(depends)?.[0] : undefined;
}

/**
 * Which packages to fetch for a release: as decided once before, if all of them are still among our downloads; else as the archive has it,
 * the system's own sources first.
 * Throws `kernel-unknown`, `kernel-parts-gone` (exit 4), `archive-unreachable`.
 */
export async function planDebian(release: string, options: Options): Promise<DebianKernel> {
  const file = join(debsDir(), `${release}.json`);
  const known = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as DebianKernel,
    () => undefined,
  );
  if (known !== undefined && (await Promise.all(packagesOf(known).map(isKept))).every(Boolean)) return known;
  const plan = await findPlan(release, options);
  await writeFileWhole(file, `${JSON.stringify(plan, null, 2)}\n`);
  return plan;
}

/** Shelf after shelf until one has the whole kernel; lists that are old are refreshed before it counts as gone. */
async function findPlan(release: string, options: Options): Promise<DebianKernel> {
  const { named, others } = shelvesFor(release);
  let seen: ArchivePackage[][] = [];
  const look = async (each: ListOptions): Promise<DebianKernel | undefined> => {
    const packages = await archivePackages(each);
    seen.push(packages);
    return choose(packages, release).findLast((choice) => choice.plan !== undefined)?.plan;
  };
  const lookEverywhere = async (maxAge?: number): Promise<DebianKernel | undefined> => {
    seen = [];
    const all = { ...options, ...(maxAge === undefined ? {} : { maxAge }) };
    let found = await look(all);
    for (const shelf of found === undefined ? named : []) found ??= await look({ ...all, shelf });
    if (found !== undefined) return found;
    const rest = await Promise.all(others.map((shelf) => look({ ...all, shelf })));
    return rest.find((plan) => plan !== undefined);
  };
  let plan = await lookEverywhere();
  if (plan === undefined && (await listsAge()) > 60_000) plan = await lookEverywhere(600_000);
  if (plan !== undefined) return plan;
  const releases = [...new Set(seen.flatMap(releasesOf))];
  const gone = seen.flatMap((packages) => choose(packages, release)).at(-1)?.offer;
  if (gone === undefined) throw new LivegraftError(kernelUnknown({ release, nearest: nearest(release, releases) }));
  const whole = seen.flatMap((packages) =>
    releasesOf(packages).filter((other) => choose(packages, other).some(({ plan: its }) => its !== undefined)),
  );
  const instead = nearestWhole(release, whole);
  throw new LivegraftError(kernelPartsGone({ ...gone, ...(instead === undefined ? {} : { instead }) }));
}

/** The nearest of the same series and flavour: the next one that is newer, else the newest older one. */
export function nearestWhole(release: string, whole: readonly string[]): string | undefined {
  const kind = (name: string): string =>
    [/^\d+\.\d+/, /[+.]deb\d+/, /[a-z][a-z-]*\w*$/].map((part) => part.exec(name)?.[0] ?? '').join(' ');
  const series = whole.filter((other) => kind(other) === kind(release)).sort(compareVersions);
  return series.find((other) => compareVersions(other, release) > 0) ?? series.at(-1);
}

export function packagesOf({ image, headers, source }: DebianKernel): ArchivePackage[] {
  return [...image, headers, source];
}

interface Choice {
  readonly offer: AvailableKernel;
  readonly plan: DebianKernel | undefined;
}

/** The versions of one release in the archive (a rebuild may keep the name), oldest first, each with what is missing. */
export function choose(packages: readonly ArchivePackage[], release: string): Choice[] {
  const find = (name: string, version: string): ArchivePackage | undefined =>
    packages.find((candidate) => candidate.name === name && candidate.version === version);
  const sourceName = `linux-source-${/^\d+\.\d+/.exec(release)?.[0]}`;
  return packages
    .filter(({ name }) => name === `linux-image-${release}`)
    .sort((a, b) => compareVersions(a.version, b.version))
    .map((image): Choice => {
      const { version } = image;
      const parts =
        image.depends.match(/linux-(?:base|binary|modules)-[^\s,|(]+/g)?.filter((name) => name.endsWith(release)) ?? [];
      const names = [...parts, `linux-headers-${release}`, sourceName];
      const missing = names.filter((name) => find(name, version) === undefined);
      // the source package holds the plain tree; that of another featureset (rt) is in no package
      const headers = find(`linux-headers-${release}`, version);
      const featureset = /linux-headers-\S+-common-(\w+)/.exec(headers?.depends ?? '')?.[1];
      if (featureset !== undefined) missing.push(`${sourceName} with the ${featureset} patches`);
      const compiler = headers && compilerOf(headers);
      const plan =
        missing.length > 0
          ? undefined
          : {
              release,
              version,
              image: [image, ...parts.map((name) => find(name, version)!)],
              headers: headers!,
              source: find(sourceName, version)!,
            };
      const offer = {
        release,
        version,
        missing,
        ...(compiler === undefined ? {} : { compiler }),
        ...(image.shelf === undefined ? {} : { shelf: image.shelf }),
      };
      return { offer, plan };
    });
}

/** Releases with an image: `linux-image-6.1.0-55-amd64`, not `linux-image-6.12-amd64`, which only points to the newest. */
export function releasesOf(packages: readonly ArchivePackage[]): string[] {
  const releases = packages.flatMap(({ name }) => /^linux-image-(\d+\.\d+\.\d+.*)$/.exec(name)?.[1] ?? []);
  return [...new Set(releases)].filter((release) => !release.endsWith('-unsigned')).sort(compareVersions);
}
