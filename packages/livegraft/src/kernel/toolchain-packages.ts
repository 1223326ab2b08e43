/**
 * Which packages hold the compiler and linker of a banner. The compiler's version stands in the banner; the linker says only its upstream
 * version. What these need to run follows from the packages' own dependencies. What a program needs that is compiled with them
 * (the dependencies of -dev packages: sanitizers, OpenMP …) is left out.
 */
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { dependencyGone, toolGone } from '../diagnostics/kernel.ts';
import { packagesNamed } from './apt.ts';
import type { Options } from './options.ts';
import {
  type Alternative,
  type ArchivePackage,
  compareVersions,
  parseDepends,
  satisfies,
  upstreamVersion,
} from './packages.ts';
import { SHELVES } from './shelves.ts';
import { debianVersion, type Wanted } from './toolchain.ts';

/** Answers with every version of the named packages. */
type Find = (names: readonly string[]) => Promise<readonly ArchivePackage[]>;

/** Whether a banner names programs of Debian's packages. */
export function isPackaged(wanted: Wanted): boolean {
  return compilerPackage(wanted) !== undefined && linkerVersion(wanted) !== undefined;
}

/**
 * Finds them, first on the shelf that the kernel lies on. Throws `tool-gone`, `dependency-gone` (exit 5), `archive-unreachable`.
 */
export async function planToolchain(
  wanted: Wanted,
  shelf: string | undefined,
  options: Options,
): Promise<ArchivePackage[]> {
  const finders = [shelf, undefined, ...SHELVES.map(({ name }) => name)]
    .filter((name, i, all) => all.indexOf(name) === i)
    .map((name): Find => {
      const where = name === undefined ? options : { ...options, shelf: name };
      return (names) => packagesNamed(names, where);
    });
  const compiler = compilerPackage(wanted)!;
  const linker = linkerVersion(wanted)!;
  const roots = [
    await findTool(finders, compiler.name, wanted.compiler, ({ version }) => version === compiler.version),
    await findTool(finders, 'binutils', wanted.linker, ({ version }) => upstreamVersion(version) === linker),
  ];
  const chosen = new Map<string, ArchivePackage>();
  for (const { root, find } of roots) {
    for (const each of await closure(root, find)) {
      const other = chosen.get(each.name);
      if (other === undefined || compareVersions(other.version, each.version) < 0) chosen.set(each.name, each);
    }
  }
  return [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function findTool(
  finders: readonly Find[],
  name: string,
  wanted: string,
  fits: (candidate: ArchivePackage) => boolean,
): Promise<{ readonly root: ArchivePackage; readonly find: Find }> {
  const others: ArchivePackage[] = [];
  for (const find of finders) {
    const offered = await find([name]);
    const root = newest(offered.filter(fits));
    if (root !== undefined) return { root, find };
    others.push(...offered);
  }
  const offered = [...new Set(others.map(({ version }) => version))].sort(compareVersions);
  throw new LivegraftError(toolGone({ name, wanted, offered }));
}

/** A package and all that it needs, of each the newest version that fits. */
export async function closure(root: ArchivePackage, find: Find): Promise<ArchivePackage[]> {
  const chosen = new Map([[root.name, root]]);
  const known = new Map<string, readonly ArchivePackage[]>();
  for (let fresh = [root]; fresh.length > 0; ) {
    const needs = fresh
      .filter(({ name }) => !name.endsWith('-dev'))
      .flatMap((each) => parseDepends(each.depends).map((alternatives) => ({ each, alternatives })))
      .filter(({ alternatives }) => !alternatives.some(({ name }) => chosen.has(name)));
    const unknown = new Set(needs.flatMap(({ alternatives }) => alternatives.map(({ name }) => name)));
    for (const name of known.keys()) unknown.delete(name);
    const found = await find([...unknown]);
    for (const name of unknown)
      known.set(
        name,
        found.filter((candidate) => candidate.name === name),
      );
    fresh = [];
    for (const { each, alternatives } of needs) {
      if (alternatives.some(({ name }) => chosen.has(name))) continue;
      const taken = first(alternatives, known);
      if (taken === undefined)
        throw new LivegraftError(
          dependencyGone({ name: each.name, version: each.version, needs: words(alternatives) }),
        );
      chosen.set(taken.name, taken);
      fresh.push(taken);
    }
  }
  return [...chosen.values()];
}

function first(
  alternatives: readonly Alternative[],
  known: ReadonlyMap<string, readonly ArchivePackage[]>,
): ArchivePackage | undefined {
  for (const alternative of alternatives) {
    const fitting = (known.get(alternative.name) ?? []).filter(({ version }) => satisfies(version, alternative));
    const taken = newest(fitting);
    if (taken !== undefined) return taken;
  }
  return undefined;
}

function newest(packages: readonly ArchivePackage[]): ArchivePackage | undefined {
  return packages.toSorted((a, b) => compareVersions(a.version, b.version)).at(-1);
}

function words(alternatives: readonly Alternative[]): string {
  return alternatives
    .map(({ name, relation, version }) => (relation === undefined ? name : `${name} (${relation} ${version})`))
    .join(' | ');
}

/** `gcc-14`, 14.2.0-19 for `x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0`. */
function compilerPackage({ compiler }: Wanted): { readonly name: string; readonly version: string } | undefined {
  const name = /^(?:\S+-)?(gcc-\d+) /.exec(compiler)?.[1];
  const version = debianVersion(compiler);
  return name === undefined || version === undefined ? undefined : { name, version };
}

function linkerVersion({ linker }: Wanted): string | undefined {
  return /^GNU ld \(GNU Binutils for Debian\) (\S+)$/.exec(linker)?.[1];
}
