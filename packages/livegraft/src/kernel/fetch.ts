/** Gets a Debian kernel into the cache: image, headers and source side by side, each appearing whole, so that a killed run is continued. */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { makeFolderWhole, removeFolderWhole, writeFileWhole } from '../support/files.ts';
import { buildTree, complete, indexKernelModules, openImage } from './complete.ts';
import { type DebianKernel, packagesOf } from './debian.ts';
import { amount, sizeOfAll } from './debs.ts';
import type { Options } from './options.ts';
import type { ArchivePackage } from './packages.ts';
import { type Branch, inParallel } from './parallel.ts';
import { kernelDir } from './places.ts';
import { provideToolchain } from './provide-toolchain.ts';
import { shareSource } from './share.ts';
import { openKernel, removeKernel, tryOpenKernel, withKernelLock } from './store.ts';
import { archiveSupply, type Supply } from './supply.ts';
import { checkToolchain } from './toolchain.ts';
import type { Kernel } from './types.ts';
import { unpackHeaders, unpackImage, unpackSource } from './unpack.ts';

/**
 * Fetches a release by name (`6.1.0-55-amd64`), or returns it at once when it is here. Another run on the same kernel is waited for.
 * Throws what `planDebian`, `provideToolchain`, `prepareBuild` and `establishFacts` throw.
 */
export async function fetchKernel(
  release: string,
  options: Options,
  supply: Supply = archiveSupply(options),
): Promise<Kernel> {
  const present = await tryOpenKernel(release);
  if (present !== undefined) return restoreToolchain(present, supply, options);
  return withKernelLock(release, options, async () => {
    const made = await tryOpenKernel(release);
    if (made !== undefined) return made;
    const plan = await supply.kernel(release);
    await startOver(plan);
    try {
      await inParallel(options, (shared, branch) => fetchParts(plan, supply, shared, branch));
    } catch (error) {
      await removeFolderWhole(kernelDir(release)).catch(() => undefined);
      throw error;
    }
    return openKernel(release);
  });
}

/** Brings a toolchain out of packages back when it was removed from the cache. */
async function restoreToolchain(kernel: Kernel, supply: Supply, options: Options): Promise<Kernel> {
  const { facts } = kernel;
  if (facts.toolchain === undefined) return kernel;
  const there = await checkToolchain(facts, options.signal).catch((error: unknown) => error);
  if (!(there instanceof LivegraftError)) return kernel;
  const { toolchain } = await provideToolchain(facts, supply, undefined, options);
  if (toolchain === facts.toolchain) return kernel;
  await removeKernel(kernel.name, options);
  return fetchKernel(kernel.name, options, supply);
}

async function fetchParts(plan: DebianKernel, supply: Supply, options: Options, branch: Branch): Promise<void> {
  const { release, version } = plan;
  const dir = kernelDir(release);
  const get = downloads(plan, supply, options);
  const { progress, signal } = options;
  const part = (
    name: string,
    title: string,
    packages: readonly ArchivePackage[],
    unpack: (debs: string[], folder: string) => Promise<void>,
  ) =>
    inPlace(join(dir, name), async (folder) => {
      const debs = await Promise.all(packages.map(get));
      await progress.step(title, () => unpack(debs, folder));
    });

  const image = branch(
    part('image', 'Unpack the image and its modules', plan.image, (debs, to) =>
      unpackImage(debs, release, to, signal),
    ).then(() => openImage(release, options)),
  );
  const toolchain = branch(image.then(({ banner }) => provideToolchain(banner, supply, plan.headers.shelf, options)));
  const headers = branch(
    part('headers', 'Unpack the headers', [plan.headers], ([deb], to) => unpackHeaders(deb!, release, to, signal)),
  );
  const source = branch(
    part('source', 'Unpack the source', [plan.source], ([deb], to) => unpackSource(deb!, plan.source.name, to, signal)),
  );
  const shared = branch(source.then(() => shareSource(release, options)));
  const modules = branch(image.then(() => indexKernelModules(release, options)));
  const build = branch(
    Promise.all([image, toolchain, headers, source]).then(([opened, tools]) =>
      buildTree(release, opened, tools, options),
    ),
  );

  const [opened, index, tools] = await Promise.all([image, modules, toolchain, build, shared]);
  await complete(
    {
      name: release,
      origin: { kind: 'debian', package: plan.image[0]!.name, version },
      image: opened,
      tools,
      modules: index,
      imageConfig: join(dir, 'image/config'),
    },
    options,
  );
}

/** Keeps the parts of a killed run only when they were of the very same packages. */
async function startOver(plan: DebianKernel): Promise<void> {
  const dir = kernelDir(plan.release);
  const file = join(dir, 'plan.json');
  const text = `${JSON.stringify(plan, null, 2)}\n`;
  if ((await readFile(file, 'utf8').catch(() => undefined)) === text) return;
  await removeFolderWhole(dir).catch(() => undefined);
  await mkdir(dir, { recursive: true });
  await writeFileWhole(file, text);
}

async function inPlace(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined) await makeFolderWhole(path, fill);
}

/** Downloads as they are asked for, with one common count of what has come in. */
function downloads(
  plan: DebianKernel,
  supply: Supply,
  { progress }: Options,
): (wanted: ArchivePackage) => Promise<string> {
  const total = sizeOfAll(packagesOf(plan));
  const received = new Map<string, number>();
  return (wanted) =>
    progress.step(`${supply.verb} ${wanted.name} ${wanted.version}`, async (own) => {
      const [path] = await supply.get([wanted], (bytes) => {
        received.set(wanted.file, bytes);
        const sum = [...received.values()].reduce((a, b) => a + b, 0);
        own.detail(amount(sum, total));
      });
      return path!;
    });
}
