/** The last part of getting a kernel, the same for every origin: unpack vmlinux, prepare the build tree, index the modules, establish the facts. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileWhole } from '../support/files.ts';
import { establishFacts, type ImageFacts, readImageFacts } from './facts.ts';
import { extractVmlinux } from './image.ts';
import { indexModules, writeModuleIndex } from './modules.ts';
import type { Options } from './options.ts';
import { kernelDir, pathsIn } from './places.ts';
import { prepareBuild, vermagicOf } from './prepare.ts';
import { writeKernel } from './store.ts';
import { type Recorded, toolchainOf } from './toolchain.ts';
import type { KernelFacts, ModuleInfo } from './types.ts';

/** What the image part yields, and the build part and the facts need. */
export interface OpenedImage extends ImageFacts {
  /** Version string of the boot header. */
  readonly bootVersion: string;
}

/** Unpacks `image/vmlinux` beside `image/vmlinuz` and reads what it says of itself. */
export async function openImage(name: string, { signal }: Options): Promise<OpenedImage> {
  const { vmlinuz, vmlinux } = pathsIn(kernelDir(name), false);
  const known = join(kernelDir(name), 'image/boot-version');
  const before = await readFile(known, 'utf8').catch(() => undefined);
  const bootVersion = before ?? (await extractVmlinux(vmlinuz, vmlinux, signal));
  if (before === undefined) await writeFileWhole(known, bootVersion);
  return { bootVersion, ...(await readImageFacts(vmlinux)) };
}

/** Prepares `build/`, for which source, headers and toolchain must be there. */
export async function buildTree(name: string, image: OpenedImage, tools: Recorded, options: Options): Promise<void> {
  await options.progress.step('Prepare the build tree', (progress) =>
    prepareBuild(pathsIn(kernelDir(name), true), image.banner.release, toolchainOf(tools), { ...options, progress }),
  );
}

/** Reads every module's headers and writes `modules.json`. */
export async function indexKernelModules(name: string, options: Options): Promise<ModuleInfo[]> {
  const dir = kernelDir(name);
  return options.progress.step('Index the modules', async (progress) => {
    const scratch = join(dir, 'scratch');
    const modules = await indexModules(join(dir, 'image/modules'), scratch, { ...options, progress });
    await rm(scratch, { recursive: true, force: true });
    await writeModuleIndex(dir, modules);
    return modules;
  });
}

interface Prepared {
  readonly name: string;
  readonly origin: KernelFacts['origin'];
  readonly image: OpenedImage;
  readonly tools: Recorded;
  readonly modules?: readonly ModuleInfo[];
  readonly imageConfig?: string;
}

/** Checks that all belongs together and writes kernel.json: from now on the kernel is there. */
export async function complete(
  { name, origin, image, tools, modules, imageConfig }: Prepared,
  options: Options,
): Promise<void> {
  const paths = pathsIn(kernelDir(name), modules !== undefined);
  const vermagic = await vermagicOf(paths, toolchainOf(tools), options);
  const { bootVersion } = image;
  const facts = await establishFacts({
    name,
    origin,
    image,
    bootVersion,
    paths,
    modules: modules ?? [],
    vermagic,
    ...(tools.toolchain === undefined ? {} : { toolchain: tools.toolchain }),
    ...(imageConfig === undefined ? {} : { imageConfig }),
  });
  await writeKernel(facts, modules !== undefined);
}
