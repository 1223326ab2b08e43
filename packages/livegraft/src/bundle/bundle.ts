/** A bundle on disk: NAME/ with NAME.ko, manifest.json, review.json, report.html, patch.diff and glue.c; whole or not there. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, rename, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import * as say from '../diagnostics/bundle.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { makeFolder, sweep, withTemporaryFolder } from '../support/files.ts';
import { parseJson } from '../support/json.ts';
import { type Manifest, manifestSchema } from './manifest.ts';
import { type Review, reviewSchema } from './review.ts';

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
  readonly review: Review;
  /** report.html. */
  readonly report: string;
}

/**
 * Writes a bundle. An earlier bundle of that name is replaced at once when the new one is complete; the folders above it are made.
 * Throws `output-occupied` when something else is in the place, `output-unusable` when nothing can be written there, `disk-full`.
 */
export async function writeBundle(path: string, content: BundleContent): Promise<Bundle> {
  const { manifest } = content;
  const parent = dirname(path);
  await requirePlace(path);
  try {
    await withFolder(parent, () =>
      withTemporaryFolder(parent, async (scratch) => {
        const folder = join(scratch, manifest.name);
        await mkdir(folder);
        await writeDurably(join(folder, manifest.module.file), content.module);
        await writeDurably(join(folder, 'glue.c'), content.glue);
        await writeDurably(join(folder, 'patch.diff'), content.patch);
        await writeDurably(join(folder, 'review.json'), `${JSON.stringify(content.review, null, 2)}\n`);
        await writeDurably(join(folder, 'report.html'), content.report);
        await writeDurably(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
        // the old one stays in the scratch folder until the new one is in its place
        await rename(path, join(scratch, 'old')).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
        await rename(folder, path);
      }),
    );
  } catch (error) {
    throw asOutputError(error, parent);
  }
  return { path: resolve(path), manifest, module: content.module };
}

/**
 * Finds out before any work is done whether a bundle can be written there; makes nothing. What a killed build left beside it is removed.
 * Throws `output-occupied`, `output-unusable`.
 */
export async function requirePlace(path: string): Promise<void> {
  const there = await stat(path).catch((error: NodeJS.ErrnoException) => error.code);
  if (typeof there === 'object') {
    const manifest = await readFile(join(path, 'manifest.json'), 'utf8').catch(() => '');
    if (!/"schema": \d+,\s+"name": /.test(manifest)) throw new LivegraftError(say.outputOccupied({ path }));
  }
  let above = dirname(path);
  while (!(await exists(above))) above = dirname(above);
  try {
    if (!(await stat(above)).isDirectory())
      throw new LivegraftError(say.outputUnusable({ path: above, problem: 'it is a file' }));
    await access(above, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw asOutputError(error, above);
  }
  await sweep(dirname(path));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  );
}

/** Makes a folder and those above it for `work`; when that fails, those that were made go again. */
async function withFolder<T>(path: string, work: () => Promise<T>): Promise<T> {
  const made = await makeFolder(path);
  try {
    return await work();
  } catch (error) {
    for (const folder of made.reverse()) await rmdir(folder).catch(() => undefined);
    throw error;
  }
}

async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const refusals: Readonly<Record<string, string>> = {
  ENOENT: 'no folder can be made there',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'it is a file',
  ENAMETOOLONG: 'the name is too long',
};

function asOutputError(error: unknown, path: string): unknown {
  const problem = refusals[(error as NodeJS.ErrnoException).code ?? ''];
  return problem === undefined || error instanceof LivegraftError
    ? error
    : new LivegraftError(say.outputUnusable({ path, problem }));
}

/** Reads a bundle and checks it against itself. Throws `bundle-unreadable`, `bundle-tampered`. */
export async function readBundle(path: string): Promise<Bundle> {
  const unreadable = (problem: string): LivegraftError => new LivegraftError(say.bundleUnreadable({ path, problem }));
  const text = await readFile(join(path, 'manifest.json'), 'utf8').catch(async (error: NodeJS.ErrnoException) => {
    const there = await stat(path).catch(() => undefined);
    if (there === undefined) throw unreadable('there is no such folder');
    if (!there.isDirectory()) throw unreadable('it is a file, not a folder');
    throw unreadable(
      error.code === 'ENOENT' ? 'it has no manifest.json' : `manifest.json cannot be read (${error.code})`,
    );
  });
  const manifest = parseJson(manifestSchema, text, (problem) => unreadable(`manifest.json${problem}`));
  if (manifest.module.file !== `${manifest.name}.ko`)
    throw unreadable(`manifest.json names the module ${manifest.module.file}`);
  const module = await readFile(join(path, manifest.module.file)).catch((error: NodeJS.ErrnoException) => {
    throw unreadable(
      error.code === 'ENOENT'
        ? `it has no ${manifest.module.file}`
        : `${manifest.module.file} cannot be read (${error.code})`,
    );
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

/** Those of livegraft 0.1 have none. */
export async function hasReview({ path }: Bundle): Promise<boolean> {
  return exists(join(path, 'review.json'));
}

/**
 * The review of a bundle that was read. Throws `review-unreadable`: there is none (a bundle of livegraft 0.1), it is damaged, or it is
 * about another module.
 */
export async function readReview({ path, manifest }: Bundle): Promise<Review> {
  const unreadable = (problem: string): LivegraftError => new LivegraftError(say.reviewUnreadable({ path, problem }));
  const text = await readFile(join(path, 'review.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw unreadable(error.code === 'ENOENT' ? 'it has no review.json' : `review.json cannot be read (${error.code})`);
  });
  const review = parseJson(reviewSchema, text, (problem) => unreadable(`review.json${problem}`));
  if (review.module !== manifest.module.sha256)
    throw unreadable('review.json is about another module than the one beside it');
  return review;
}
