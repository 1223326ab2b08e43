/** Takes any kernel into the cache from its files. */
import { cp, mkdir, realpath, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { kernelExists, kernelFileUnreadable } from '../diagnostics/kernel.ts';
import { removeFolderWhole } from '../support/files.ts';
import { buildTree, complete, indexKernelModules, openImage } from './complete.ts';
import type { Options } from './options.ts';
import { kernelDir } from './places.ts';
import { provideToolchain } from './provide-toolchain.ts';
import { openKernel, tryOpenKernel, withKernelLock } from './store.ts';
import { archiveSupply } from './supply.ts';
import type { Kernel } from './types.ts';

export interface KernelFiles {
  readonly name: string;
  readonly vmlinuz: string;
  /** A clean source tree of exactly this kernel. It is referred to, not copied: 1.4 GB that its owner has already; it must stay where it is. */
  readonly source: string;
  readonly config: string;
  readonly symvers: string;
  /** What `lib/modules/RELEASE` holds, copied without `build` and `source`. */
  readonly modules?: string;
}

/**
 * Copies the files, prepares a build tree (Kconfig runs, but the configuration must stay what it was) and checks that all belongs together.
 * Throws `kernel-exists`, `kernel-file-unreadable`, `image-corrupt` (exit 4), `config-drifts`, `kernel-mixed`, `compiler-…` (exit 5).
 */
export async function addKernel(files: KernelFiles, options: Options): Promise<Kernel> {
  const { name } = files;
  const dir = kernelDir(name);
  await checkFiles(files);
  return withKernelLock(name, options, async () => {
    if ((await tryOpenKernel(name)) !== undefined) throw new LivegraftError(kernelExists({ name }));
    await removeFolderWhole(dir).catch(() => undefined);
    try {
      await options.progress.step('Copy the files', () => copyFiles(files, dir));
      const image = await openImage(name, options);
      const modules = files.modules === undefined ? undefined : await indexKernelModules(name, options);
      const tools = await provideToolchain(image.banner, archiveSupply(options), undefined, options);
      await buildTree(name, image, tools, options);
      await complete(
        { name, origin: { kind: 'files' }, image, tools, ...(modules === undefined ? {} : { modules }) },
        options,
      );
    } catch (error) {
      await removeFolderWhole(dir).catch(() => undefined);
      throw error;
    }
    return openKernel(name);
  });
}

async function checkFiles({ vmlinuz, source, config, symvers, modules }: KernelFiles): Promise<void> {
  const wanted = [
    [vmlinuz, 'file'],
    [config, 'file'],
    [symvers, 'file'],
    [source, 'folder'],
    ...(modules === undefined ? [] : [[modules, 'folder'] as const]),
  ] as const;
  for (const [path, kind] of wanted) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined)
      throw new LivegraftError(kernelFileUnreadable({ path, problem: `There is no such ${kind}` }));
    if (found.isDirectory() !== (kind === 'folder'))
      throw new LivegraftError(kernelFileUnreadable({ path, problem: `This is not a ${kind}` }));
  }
}

async function copyFiles({ vmlinuz, source, config, symvers, modules }: KernelFiles, dir: string): Promise<void> {
  await mkdir(join(dir, 'image'), { recursive: true });
  await mkdir(join(dir, 'headers'));
  await cp(vmlinuz, join(dir, 'image/vmlinuz'));
  await cp(config, join(dir, 'headers/.config'));
  await cp(symvers, join(dir, 'headers/Module.symvers'));
  await symlink(await realpath(source), join(dir, 'source'));
  if (modules === undefined) return;
  const left = new Set(['build', 'source'].map((name) => join(modules, name)));
  await cp(modules, join(dir, 'image/modules'), { recursive: true, filter: (path) => !left.has(path) });
}
