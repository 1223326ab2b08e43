/** The compiler and linker a kernel was built with, and whether this machine has exactly those. */
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { compilerDiffers, compilerMissing, linkerDiffers, linkerMissing } from '../diagnostics/kernel.ts';
import { programMissing } from '../diagnostics/support.ts';
import { tryRun } from '../support/exec.ts';

export interface Toolchain {
  /** Program that compiles: `gcc-12`. */
  readonly cc: string;
  /** Program that links: `ld`. */
  readonly ld: string;
  /** What stands before the names of the other tools: '' or `x86_64-linux-gnu-`. */
  readonly prefix: string;
}

/**
 * Which programs a kernel needs, from its banner (`gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0`): the first word is the name it was called by.
 */
export function toolchainOf(compiler: string): Toolchain {
  const cc = compiler.split(' ')[0]!;
  const prefix = /^(?:[a-z0-9_]+-)+(?=gcc(?:-|$))/.exec(cc)?.[0] ?? '';
  return { cc, ld: `${prefix}ld`, prefix };
}

/**
 * Checks the programs against the banner's words, exactly.
 * Throws `compiler-missing`, `compiler-differs`, `linker-missing`, `linker-differs` (exit 5), each with the line that installs the right one.
 */
export async function checkToolchain(
  wanted: { readonly compiler: string; readonly linker: string },
  signal?: AbortSignal,
): Promise<Toolchain> {
  const toolchain = toolchainOf(wanted.compiler);
  const { cc, ld } = toolchain;
  const version = debianVersion(wanted.compiler);
  const compiler = await firstLine(cc, signal);
  if (compiler === undefined)
    throw new LivegraftError(compilerMissing({ program: cc, wanted: wanted.compiler, install: cc }));
  if (compiler !== wanted.compiler) {
    const install = version === undefined ? cc : `${cc}=${version}`;
    throw new LivegraftError(compilerDiffers({ program: cc, found: compiler, wanted: wanted.compiler, install }));
  }
  const linker = await firstLine(ld, signal);
  if (linker === undefined)
    throw new LivegraftError(linkerMissing({ program: ld, wanted: wanted.linker, install: 'binutils' }));
  if (linker !== wanted.linker) {
    throw new LivegraftError(linkerDiffers({ program: ld, found: linker, wanted: wanted.linker, install: 'binutils' }));
  }
  return toolchain;
}

/** `12.2.0-14+deb12u1` out of `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0`. */
function debianVersion(compiler: string): string | undefined {
  return /\(Debian ([^)]+)\)/.exec(compiler)?.[1];
}

async function firstLine(program: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await tryRun(program, ['--version'], signal === undefined ? {} : { signal });
    return stdout.split('\n')[0]!.trimEnd();
  } catch (error) {
    if (error instanceof LivegraftError && error.code === programMissing({ program }).code) return undefined;
    throw error;
  }
}
