/** The compiler and linker a kernel was built with, word for word as its banner names them: the machine's own if they are those, else out of packages. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import {
  compilerDiffers,
  compilerMissing,
  linkerDiffers,
  linkerMissing,
  toolchainNotHere,
} from '../diagnostics/kernel.ts';
import { programMissing } from '../diagnostics/support.ts';
import { tryRun } from '../support/exec.ts';
import type { ArchivePackage } from './packages.ts';
import { toolchainsDir } from './places.ts';

export interface Toolchain {
  /** Program that compiles: `gcc-12`, or the path of one out of packages, which needs no PATH. */
  readonly cc: string;
  /** Program that links: `ld`. */
  readonly ld: string;
  /** What stands before the names of the other tools: '', `x86_64-linux-gnu-`, or a path up to there. */
  readonly prefix: string;
}

/** What a kernel's banner says. */
export interface Wanted {
  /** `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0`: the first word is the name it was called by. */
  readonly compiler: string;
  /** `GNU ld (GNU Binutils for Debian) 2.40`. */
  readonly linker: string;
}

/** What `kernel.json` says. */
export interface Recorded extends Wanted {
  /** Id of a toolchain out of packages (`toolchain-folder.ts`); absent: the machine's own is used. */
  readonly toolchain?: string;
}

/** `toolchain.json` in a toolchain's folder, written before the folder appears. */
export interface ToolchainRecord extends Wanted {
  readonly schema: 1;
  readonly packages: readonly ArchivePackage[];
}

/** Which programs a kernel needs. Only names and paths: whether they are there, `checkToolchain` says. */
export function toolchainOf({ compiler, toolchain }: Pick<Recorded, 'compiler' | 'toolchain'>): Toolchain {
  const name = compiler.split(' ')[0]!;
  const bin = toolchain === undefined ? '' : `${join(toolchainsDir(), toolchain, 'bin')}/`;
  const prefix = `${bin}${/^(?:[a-z0-9_]+-)+(?=gcc(?:-|$))/.exec(name)?.[0] ?? ''}`;
  return { cc: `${bin}${name}`, ld: `${prefix}ld`, prefix };
}

/** The id of the toolchain out of packages that a program belongs to; undefined for the machine's own. */
export function toolchainIdOf(program: string): string | undefined {
  const [, id] = /^([0-9a-f]+)\/bin\/[^/]+$/.exec(program.slice(toolchainsDir().length + 1)) ?? [];
  return program.startsWith(`${toolchainsDir()}/`) ? id : undefined;
}

/**
 * Checks a kernel's programs against the banner's words, exactly.
 * Throws `compiler-missing`, `compiler-differs`, `linker-missing`, `linker-differs`, each with the line that installs the right one, and
 * `toolchain-not-here` (all exit 5).
 */
export async function checkToolchain(wanted: Recorded, signal?: AbortSignal): Promise<Toolchain> {
  const { compiler, linker, toolchain: id } = wanted;
  const toolchain = toolchainOf(wanted);
  if (id !== undefined) {
    // it was checked when it was made, and its id is what it is made of
    const record = await readRecord(id);
    if (record?.compiler !== compiler || record.linker !== linker)
      throw new LivegraftError(toolchainNotHere({ compiler, linker, id }));
    return toolchain;
  }
  const { cc, ld } = toolchain;
  const version = debianVersion(compiler);
  const found = await firstLine(cc, signal);
  if (found === undefined) throw new LivegraftError(compilerMissing({ program: cc, wanted: compiler, install: cc }));
  if (found !== compiler) {
    const install = version === undefined ? cc : `${cc}=${version}`;
    throw new LivegraftError(compilerDiffers({ program: cc, found, wanted: compiler, install }));
  }
  const link = await firstLine(ld, signal);
  if (link === undefined) throw new LivegraftError(linkerMissing({ program: ld, wanted: linker, install: 'binutils' }));
  if (link !== linker) {
    throw new LivegraftError(linkerDiffers({ program: ld, found: link, wanted: linker, install: 'binutils' }));
  }
  return toolchain;
}

/** The id of a toolchain in the cache that is the banner's, whatever kernel it came for. */
export async function keptToolchain({ compiler, linker }: Wanted): Promise<string | undefined> {
  for (const id of await readdir(toolchainsDir()).catch(() => [])) {
    const record = await readRecord(id);
    if (record?.compiler === compiler && record.linker === linker) return id;
  }
  return undefined;
}

/** What a toolchain in the cache is made of. */
export async function toolchainPackages(id: string): Promise<readonly ArchivePackage[] | undefined> {
  return (await readRecord(id))?.packages;
}

async function readRecord(id: string): Promise<ToolchainRecord | undefined> {
  const text = await readFile(join(toolchainsDir(), id, 'toolchain.json'), 'utf8').catch(() => undefined);
  const record = text === undefined ? undefined : (JSON.parse(text) as ToolchainRecord);
  return record?.schema === 1 ? record : undefined;
}

/** `12.2.0-14+deb12u1` out of `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0`. */
export function debianVersion(compiler: string): string | undefined {
  return /\(Debian ([^)]+)\)/.exec(compiler)?.[1];
}

/** First line of `PROGRAM --version`; undefined when there is no such program. */
export async function firstLine(program: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await tryRun(program, ['--version'], signal === undefined ? {} : { signal });
    return stdout.split('\n')[0]!.trimEnd();
  } catch (error) {
    if (error instanceof LivegraftError && error.code === programMissing({ program }).code) return undefined;
    throw error;
  }
}
