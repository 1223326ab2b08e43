/** Gets a kernel's compiler and linker: the machine's own, else one that is in the cache for another kernel, else out of packages. */
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { withLock } from '../support/lock.ts';
import { amount, sizeOfAll } from './debs.ts';
import { lockOptions, type Options } from './options.ts';
import { lockFile } from './places.ts';
import type { Supply } from './supply.ts';
import { checkToolchain, keptToolchain, type Recorded, type Wanted } from './toolchain.ts';
import { makeToolchain } from './toolchain-folder.ts';
import { isPackaged } from './toolchain-packages.ts';

/**
 * @param shelf the one that the kernel lies on
 * @returns what `kernel.json` keeps of it: nothing for the machine's own
 * @throws LivegraftError what `checkToolchain` throws where no package can help; else `tool-gone`, `dependency-gone`, `toolchain-differs` (exit 5)
 */
export async function provideToolchain(
  { compiler, linker }: Wanted,
  supply: Supply,
  shelf: string | undefined,
  options: Options,
): Promise<Recorded> {
  const wanted = { compiler, linker };
  const own = await checkToolchain(wanted, options.signal).catch((error: unknown) => error);
  if (!(own instanceof Error)) return wanted;
  if (!(own instanceof LivegraftError && isPackaged(wanted))) throw own;
  return withLock(lockFile('toolchains'), lockOptions('the toolchains', options), async () => {
    const kept = await keptToolchain(wanted);
    if (kept !== undefined) return { ...wanted, toolchain: kept };
    const packages = await options.progress.step(`Find the packages of ${compiler}`, () =>
      supply.toolchain(wanted, shelf),
    );
    const total = sizeOfAll(packages);
    const debs = await options.progress.step(`${supply.verb} ${compiler} and what it needs`, (own) =>
      supply.get(packages, (bytes) => own.detail(amount(bytes, total))),
    );
    const toolchain = await options.progress.step(`Unpack and check ${compiler}`, () =>
      makeToolchain(wanted, packages, debs, options.signal),
    );
    return { ...wanted, toolchain };
  });
}
