/** Makes a bank (`bank-manifest.ts`): for the day when the archive no longer has a kernel's packages, or for a machine without network. */
import { constants } from 'node:fs';
import { copyFile, link, mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { bankExists } from '../diagnostics/kernel.ts';
import { run } from '../support/exec.ts';
import { makeFolderWhole, sweep, withTemporaryFolder } from '../support/files.ts';
import type { BankedKernel, BankManifest } from './bank-manifest.ts';
import { packagesOf } from './debian.ts';
import { amount, sizeOfAll } from './debs.ts';
import { readImageFacts } from './facts.ts';
import { extractVmlinux } from './image.ts';
import { type Options, withSignal } from './options.ts';
import type { ArchivePackage } from './packages.ts';
import { cacheDir } from './places.ts';
import { tryOpenKernel } from './store.ts';
import { archiveSupply, type Supply } from './supply.ts';
import { toolchainPackages, type Wanted } from './toolchain.ts';
import { unpackImage } from './unpack.ts';

export interface Bank {
  /** Absolute. */
  readonly path: string;
  readonly manifest: BankManifest;
  readonly packages: number;
  /** Bytes of the packages. */
  readonly size: number;
}

/**
 * Stores all that later builds of these kernels will need. A folder, or an archive when the name ends in `.tar`; appears whole.
 * Throws `bank-exists`, what `planDebian`, `planToolchain` and `downloadAll` throw.
 */
export async function makeBank(releases: readonly string[], output: string, options: Options): Promise<Bank> {
  const path = resolve(output);
  if ((await stat(path).catch(() => undefined)) !== undefined) throw new LivegraftError(bankExists({ path }));
  await sweep(scratchDir());
  const supply = archiveSupply(options);
  const kernels: BankedKernel[] = [];
  for (const release of new Set(releases)) kernels.push(await collect(release, supply, options));
  const manifest: BankManifest = { schema: 1, made: new Date().toISOString(), kernels };
  const packages = packagesIn(kernels);
  const debs = await get(packages, supply, options);
  await options.progress.step(`Write ${basename(path)}`, () => write(path, manifest, packages, debs, options));
  return { path, manifest, packages: packages.length, size: sizeOfAll(packages) };
}

/** The packages of one kernel, and of exactly its compiler and linker. */
async function collect(release: string, supply: Supply, options: Options): Promise<BankedKernel> {
  const plan = await supply.kernel(release);
  const kernel = await tryOpenKernel(release);
  const { compiler, linker } = kernel?.facts ?? (await readBanner(release, plan.image, supply, options));
  const known = kernel?.facts.toolchain && (await toolchainPackages(kernel.facts.toolchain));
  const toolchain =
    known ||
    (await options.progress.step(`Find the packages of ${compiler}`, () =>
      supply.toolchain({ compiler, linker }, plan.headers.shelf),
    ));
  const { version, image, headers, source } = plan;
  return { release, version, image: [...image], headers, source, compiler, linker, toolchain: [...toolchain] };
}

/** The linker's version stands in the image only. */
async function readBanner(
  release: string,
  image: readonly ArchivePackage[],
  supply: Supply,
  options: Options,
): Promise<Wanted> {
  const debs = await get(image, supply, options);
  return options.progress.step(`Read the banner of ${release}`, () =>
    withTemporaryFolder(scratchDir(), async (folder) => {
      await unpackImage(debs, release, folder, options.signal);
      await extractVmlinux(join(folder, 'vmlinuz'), join(folder, 'vmlinux'), options.signal);
      return (await readImageFacts(join(folder, 'vmlinux'))).banner;
    }),
  );
}

function packagesIn(kernels: readonly BankedKernel[]): ArchivePackage[] {
  const all = kernels.flatMap((kernel) => [...packagesOf(kernel), ...kernel.toolchain]);
  return [...new Map(all.map((each) => [each.sha256, each])).values()];
}

async function get(packages: readonly ArchivePackage[], supply: Supply, { progress }: Options): Promise<string[]> {
  const total = sizeOfAll(packages);
  return progress.step('Download packages', async (own) => [
    ...(await supply.get(packages, (bytes) => own.detail(amount(bytes, total)))),
  ]);
}

async function write(
  path: string,
  manifest: BankManifest,
  packages: readonly ArchivePackage[],
  debs: readonly string[],
  options: Options,
): Promise<void> {
  const fill = async (folder: string, put: (from: string, to: string) => Promise<void>): Promise<void> => {
    await mkdir(join(folder, 'debs'));
    await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    for (const [i, { file }] of packages.entries()) await put(debs[i]!, join(folder, 'debs', file));
  };
  await sweep(dirname(path));
  if (!path.endsWith('.tar')) {
    await makeFolderWhole(path, (folder) => fill(folder, (from, to) => copyFile(from, to, constants.COPYFILE_FICLONE)));
    return;
  }
  // the archive is made of links to the downloads, which costs no space; it appears by a rename on its own disk
  await withTemporaryFolder(scratchDir(), async (folder) => {
    await fill(folder, link);
    await withTemporaryFolder(dirname(path), async (place) => {
      const archive = join(place, 'bank.tar');
      await run('tar', ['-cf', archive, '-C', folder, 'manifest.json', 'debs'], withSignal({ group: true }, options));
      await rename(archive, path);
    });
  });
}

function scratchDir(): string {
  return join(cacheDir(), 'scratch');
}
