/** Debian's kernels: which packages make up a release, and their content in the shape of a kernel's folder. */
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { kernelFileUnreadable, kernelPartsGone, kernelUnknown } from '../diagnostics/kernel.ts';
import { writeFileWhole } from '../support/files.ts';
import { type ArchivePackage, archivePackages, isKept, listsAge } from './apt.ts';
import { nearest } from './nearest.ts';
import type { Options } from './options.ts';
import { pipeline } from './pipeline.ts';
import { debsDir } from './places.ts';

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
}

/** What the archive offers, oldest first. */
export async function listAvailable(options: Options): Promise<AvailableKernel[]> {
  const packages = await archivePackages(options);
  return releasesOf(packages)
    .flatMap((release) => choose(packages, release))
    .map(({ release, version, missing }) => ({ release, version, missing }));
}

/**
 * Which packages to fetch for a release: as decided once before, if all of them are still among our downloads; else as the archive has it.
 * Throws `kernel-unknown`, `kernel-parts-gone` (exit 4), `archive-unreachable`.
 */
export async function planDebian(release: string, options: Options): Promise<DebianKernel> {
  const file = join(debsDir(), `${release}.json`);
  const known = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as DebianKernel,
    () => undefined,
  );
  if (known !== undefined && (await Promise.all(packagesOf(known).map(isKept))).every(Boolean)) return known;

  let packages = await archivePackages(options);
  let choices = choose(packages, release);
  if (choices.every(({ plan }) => plan === undefined) && (await listsAge()) > 60_000) {
    packages = await archivePackages({ ...options, fresh: true });
    choices = choose(packages, release);
  }
  const first = choices.at(-1);
  if (first === undefined)
    throw new LivegraftError(kernelUnknown({ release, nearest: nearest(release, releasesOf(packages)) }));
  const plan = choices.findLast((choice) => choice.plan !== undefined)?.plan;
  if (plan === undefined) throw new LivegraftError(kernelPartsGone(first));
  await writeFileWhole(file, `${JSON.stringify(plan, null, 2)}\n`);
  return plan;
}

export function packagesOf({ image, headers, source }: DebianKernel): ArchivePackage[] {
  return [...image, headers, source];
}

interface Choice extends AvailableKernel {
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
      const featureset = /linux-headers-\S+-common-(\w+)/.exec(
        find(`linux-headers-${release}`, version)?.depends ?? '',
      )?.[1];
      if (featureset !== undefined) missing.push(`${sourceName} with the ${featureset} patches`);
      const plan =
        missing.length > 0
          ? undefined
          : {
              release,
              version,
              image: [image, ...parts.map((name) => find(name, version)!)],
              headers: find(`linux-headers-${release}`, version)!,
              source: find(sourceName, version)!,
            };
      return { release, version, missing, plan };
    });
}

/** Releases with an image: `linux-image-6.1.0-55-amd64`, not `linux-image-6.12-amd64`, which only points to the newest. */
export function releasesOf(packages: readonly ArchivePackage[]): string[] {
  const releases = packages.flatMap(({ name }) => /^linux-image-(\d+\.\d+\.\d+.*)$/.exec(name)?.[1] ?? []);
  return [...new Set(releases)].filter((release) => !release.endsWith('-unsigned')).sort(compareVersions);
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** Fills `folder` with `vmlinuz`, `config` and `modules/` out of the image's packages. */
export async function unpackImage(
  debs: readonly string[],
  release: string,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const raw = join(folder, 'raw');
  await mkdir(raw);
  for (const deb of debs) await pipeline([['dpkg-deb', '-x', deb, raw]], signal);
  const tree = await firstOf(raw, [`usr/lib/modules/${release}`, `lib/modules/${release}`], debs);
  await rename(
    await firstOf(raw, [`boot/vmlinuz-${release}`, `usr/lib/modules/${release}/vmlinuz`], debs),
    join(folder, 'vmlinuz'),
  );
  await rename(
    await firstOf(raw, [`boot/config-${release}`, `usr/lib/modules/${release}/config`], debs),
    join(folder, 'config'),
  );
  await rename(tree, join(folder, 'modules'));
  await rm(raw, { recursive: true });
}

/** Fills `folder` with what linux-headers-RELEASE has: `.config`, `Module.symvers`, `include/`, `arch/`. */
export async function unpackHeaders(deb: string, release: string, folder: string, signal?: AbortSignal): Promise<void> {
  const raw = join(folder, 'raw');
  await mkdir(raw);
  await pipeline([['dpkg-deb', '-x', deb, raw]], signal);
  const tree = await firstOf(raw, [`usr/src/linux-headers-${release}`], [deb]);
  for (const name of await readdir(tree)) await rename(join(tree, name), join(folder, name));
  await rm(raw, { recursive: true });
}

/** Fills `folder` with the source tree; the archive inside the package is unpacked while the package is. */
export async function unpackSource(deb: string, name: string, folder: string, signal?: AbortSignal): Promise<void> {
  await pipeline(
    [
      ['dpkg-deb', '--fsys-tarfile', deb],
      ['tar', '-xO', `./usr/src/${name}.tar.xz`],
      ['tar', '-xJ', '--strip-components=1', '--no-same-owner', '-C', folder],
    ],
    signal,
  );
}

async function firstOf(root: string, candidates: readonly string[], debs: readonly string[]): Promise<string> {
  for (const candidate of candidates) {
    if ((await stat(join(root, candidate)).catch(() => undefined)) !== undefined) return join(root, candidate);
  }
  throw new LivegraftError(
    kernelFileUnreadable({ path: debs[0] ?? root, problem: `This package has no ${candidates.join(' or ')}` }),
  );
}
