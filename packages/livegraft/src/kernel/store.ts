/** The kernels in the cache. A kernel is there when its folder has kernel.json, which is written last. */
import { access, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { kernelFileUnreadable, kernelNotHere } from '../diagnostics/kernel.ts';
import { removeFolderWhole, sweep, writeFileWhole } from '../support/files.ts';
import { withLock } from '../support/lock.ts';
import { lockOptions, type Options } from './options.ts';
import { kernelDir, kernelsDir, lockFile, pathsIn } from './places.ts';
import type { Kernel, KernelFacts } from './types.ts';

/** `kernel.json`: the facts, and what is needed to find the files. */
interface Record extends KernelFacts {
  readonly hasModules: boolean;
}

/** Every complete kernel, by name. */
export async function listKernels(): Promise<Kernel[]> {
  const names = await readdir(kernelsDir()).catch(() => []);
  const kernels = await Promise.all(names.filter((name) => !name.startsWith('.')).map((name) => tryOpenKernel(name)));
  return kernels
    .filter((kernel) => kernel !== undefined)
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

/** Throws `kernel-not-here` (exit 4) when it is not in the cache, or not complete. */
export async function openKernel(name: string): Promise<Kernel> {
  const kernel = await tryOpenKernel(name);
  if (kernel !== undefined) return kernel;
  throw new LivegraftError(kernelNotHere({ name, here: (await listKernels()).map((other) => other.name) }));
}

/** Throws `kernel-file-unreadable` (exit 4) when the source was moved away: that of an added kernel is its owner's. */
export async function requireSource({ name, dir, paths }: Kernel): Promise<void> {
  if (
    await access(join(paths.source, 'Makefile')).then(
      () => true,
      () => false,
    )
  )
    return;
  const path = await readlink(join(dir, 'source')).catch(() => paths.source);
  const problem = `The source of kernel ${name} is no longer there; put it back, or add the kernel again`;
  throw new LivegraftError(kernelFileUnreadable({ path, problem }));
}

export async function tryOpenKernel(name: string): Promise<Kernel | undefined> {
  const named = kernelDir(name);
  const text = await readFile(join(named, 'kernel.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const record = parseRecord(text);
  if (record?.schema !== 1) return undefined;
  const { hasModules, ...facts } = record;
  // make names its folders without symbolic links; an added kernel's source is one, and whole caches are too
  const dir = await realpath(named);
  const paths = pathsIn(dir, hasModules);
  const source = await realpath(paths.source).catch(() => paths.source);
  return { name, release: facts.release, dir, facts, paths: { ...paths, source } };
}

/** A damaged record counts as none: the kernel is not complete. */
function parseRecord(text: string): Record | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record) : undefined;
  } catch {
    return undefined;
  }
}

/** Makes a kernel's folder complete. */
export async function writeKernel(facts: KernelFacts, hasModules: boolean): Promise<void> {
  const record: Record = { ...facts, hasModules };
  await writeFileWhole(join(kernelDir(facts.name), 'kernel.json'), `${JSON.stringify(record, null, 2)}\n`);
}

/** Removes a kernel, complete or not; downloads stay. Throws `kernel-not-here` when there is nothing of that name. */
export async function removeKernel(name: string, options: Options): Promise<void> {
  await withKernelLock(name, options, async () => {
    try {
      await removeFolderWhole(kernelDir(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new LivegraftError(kernelNotHere({ name, here: (await listKernels()).map((kernel) => kernel.name) }));
    }
  });
}

/** One worker at a time on a kernel; what killed ones left is swept first. */
export async function withKernelLock<T>(name: string, options: Options, work: () => Promise<T>): Promise<T> {
  const dir = kernelDir(name);
  return withLock(lockFile(`kernel-${name}`), lockOptions(`kernel ${name}`, options), async () => {
    await sweep(kernelsDir());
    await sweep(dir);
    return work();
  });
}
