/** A bundle on disk: NAME/ with NAME.ko, manifest.json, patch.diff and glue.c; whole or not there. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import * as v from 'valibot';
import * as say from '../diagnostics/bundle.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { removeFolderWhole, withTemporaryFolder } from '../support/files.ts';
import { type Manifest, manifestSchema } from './manifest.ts';

export interface Bundle {
  /** Its folder, absolute. */
  readonly path: string;
  readonly manifest: Manifest;
  readonly module: Uint8Array;
}

export interface BundleContent {
  readonly manifest: Manifest;
  readonly module: Uint8Array;
  readonly glue: string;
  readonly patch: Uint8Array;
}

/**
 * Writes a bundle. An earlier bundle of that name is replaced at once when the new one is complete.
 * Throws `output-occupied` when something else is in the place.
 */
export async function writeBundle(path: string, content: BundleContent): Promise<Bundle> {
  const { manifest } = content;
  await refuseForeign(path);
  await mkdir(dirname(path), { recursive: true });
  await withTemporaryFolder(dirname(path), async (scratch) => {
    const folder = join(scratch, manifest.name);
    await mkdir(folder);
    await writeFile(join(folder, manifest.module.file), content.module);
    await writeFile(join(folder, 'glue.c'), content.glue);
    await writeFile(join(folder, 'patch.diff'), content.patch);
    await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    await removeFolderWhole(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rename(folder, path);
    await rm(scratch, { recursive: true, force: true });
  });
  return { path: resolve(path), manifest, module: content.module };
}

/** Throws `output-occupied` when a bundle cannot go there. */
export async function refuseForeign(path: string): Promise<void> {
  const there = await readFile(path).then(
    () => 'a file',
    (error: NodeJS.ErrnoException) => error.code,
  );
  if (there === 'ENOENT') return;
  const manifest = await readFile(join(path, 'manifest.json'), 'utf8').catch(() => '');
  if (!/"schema": \d+,\s+"name": /.test(manifest)) throw new LivegraftError(say.outputOccupied({ path }));
}

/** Reads a bundle and checks it against itself. Throws `bundle-unreadable`, `bundle-tampered`. */
export async function readBundle(path: string): Promise<Bundle> {
  const unreadable = (problem: string): LivegraftError => new LivegraftError(say.bundleUnreadable({ path, problem }));
  const text = await readFile(join(path, 'manifest.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw unreadable(`manifest.json cannot be read (${error.code})`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unreadable(`manifest.json is no JSON: ${(error as Error).message}`);
  }
  const parsed = v.safeParse(manifestSchema, json);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw unreadable(`manifest.json: ${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`);
  }
  const manifest = parsed.output;
  if (manifest.module.file !== `${manifest.name}.ko`)
    throw unreadable(`manifest.json names the module ${manifest.module.file}`);
  const module = await readFile(join(path, manifest.module.file)).catch((error: NodeJS.ErrnoException) => {
    throw unreadable(`${manifest.module.file} cannot be read (${error.code})`);
  });
  const found = createHash('sha256').update(module).digest('hex');
  if (found !== manifest.module.sha256)
    throw new LivegraftError(say.bundleTampered({ path, expected: manifest.module.sha256, found }));
  return { path: resolve(path), manifest, module };
}

/** Throws `bundle-for-other-kernel` (exit 5) unless the bundle was built for exactly this kernel. */
export function requireKernel(
  bundle: Bundle,
  kernel: { readonly name: string; readonly facts: { readonly buildId: string } },
): void {
  const { manifest, path } = bundle;
  if (manifest.kernel.buildId === kernel.facts.buildId) return;
  throw new LivegraftError(
    say.bundleForeign({
      path,
      builtFor: manifest.kernel.release,
      builtForId: manifest.kernel.buildId,
      kernel: kernel.name,
      kernelId: kernel.facts.buildId,
    }),
  );
}
