/** What `livegraft review` is about: a bundle as it is, or patches, built where nobody sees it. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/review-inputs.ts';
import type { Session } from './command.ts';

export interface ReviewInputs {
  readonly paths: readonly string[];
  readonly kernel?: string;
  readonly replace?: boolean;
}

export type Reviewable =
  | { readonly kind: 'bundle'; readonly path: string }
  | { readonly kind: 'patches'; readonly paths: readonly string[]; readonly kernel: string };

/** A folder is a bundle, a file a patch. Throws `not-reviewable` (exit 4), `review-mixed`, `review-without-kernel`, `review-built-already` (exit 2). */
export async function reviewable({ paths, kernel, replace = false }: ReviewInputs): Promise<Reviewable> {
  const folders: string[] = [];
  const files: string[] = [];
  for (const path of paths) {
    const facts = await stat(path).catch((error: NodeJS.ErrnoException) => {
      throw new LivegraftError(say.notReviewable({ path, problem: reasons[error.code ?? ''] ?? error.message }));
    });
    if (facts.isDirectory()) folders.push(path);
    else if (facts.isFile()) files.push(path);
    else throw new LivegraftError(say.notReviewable({ path, problem: 'it is neither a folder nor a file' }));
  }
  const [path, ...more] = folders;
  if (path === undefined) {
    if (kernel === undefined) throw new LivegraftError(say.reviewWithoutKernel({ patches: files }));
    return { kind: 'patches', paths: files, kernel };
  }
  if (files.length + more.length > 0) throw new LivegraftError(say.reviewMixed({ folders, files }));
  const flags = [...(kernel === undefined ? [] : ['--kernel']), ...(replace ? ['--replace'] : [])];
  if (flags.length > 0) throw new LivegraftError(say.reviewBuilt({ path, flags }));
  return { kind: 'bundle', path };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is nothing of that name',
  ENOTDIR: 'there is nothing of that name',
  EACCES: 'you may not look there',
};

/** Builds patches in a folder that is gone when `work` is done. Throws like `build`. */
export async function withBuilt<T>(
  { paths, kernel: name }: Extract<Reviewable, { kind: 'patches' }>,
  replace: boolean,
  { progress, signal }: Pick<Session, 'progress' | 'signal'>,
  work: (bundle: Bundle) => Promise<T>,
): Promise<T> {
  const [{ build }, { openKernel }, { cacheDir }, { sweep, withTemporaryFolder }, { readPatches }] = await Promise.all([
    import('../build/build.ts'),
    import('../kernel/store.ts'),
    import('../kernel/places.ts'),
    import('../support/files.ts'),
    import('./inputs.ts'),
  ]);
  const patches = await readPatches(paths);
  const kernel = await openKernel(name);
  const home = join(cacheDir(), 'scratch');
  await sweep(home);
  return withTemporaryFolder(home, async (out) =>
    work(await build({ patches, kernel, out, replace, progress, signal })),
  );
}
