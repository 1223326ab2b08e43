/** Where packages come from: the archive, or a bank (`bank.ts`) with no network at all. */
import { downloadAll } from './apt.ts';
import { type DebianKernel, planDebian } from './debian.ts';
import type { Options } from './options.ts';
import type { ArchivePackage } from './packages.ts';
import type { Wanted } from './toolchain.ts';
import { planToolchain } from './toolchain-packages.ts';

export interface Supply {
  /** What getting is called. */
  readonly verb: string;
  /** The packages of a release. */
  readonly kernel: (release: string) => Promise<DebianKernel>;
  /** The packages of a compiler and a linker, first on the shelf that the kernel lies on. */
  readonly toolchain: (wanted: Wanted, shelf: string | undefined) => Promise<readonly ArchivePackage[]>;
  /** Their .debs, each checked by its hash; `received` counts the bytes of all. */
  readonly get: (wanted: readonly ArchivePackage[], received: (bytes: number) => void) => Promise<readonly string[]>;
}

export function archiveSupply(options: Options): Supply {
  return {
    verb: 'Download',
    kernel: (release) => planDebian(release, options),
    toolchain: (wanted, shelf) => planToolchain(wanted, shelf, options),
    get: (wanted, received) => downloadAll(wanted, received, options.signal),
  };
}
