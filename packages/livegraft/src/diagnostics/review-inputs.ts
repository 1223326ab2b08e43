/** What `livegraft review` can be asked about: one bundle, or patches of one kernel. */
import { define, Exit } from './diagnostic.ts';

export const notReviewable = define<{ path: string; problem: string }>('not-reviewable', {
  place: ({ path }) => path,
  message: ({ problem }) => `Neither the folder of a bundle nor the file of a patch: ${problem}`,
  hint: 'give the folder that `livegraft build` made, or source patches together with --kernel',
});

export const reviewMixed = define<{ folders: readonly string[]; files: readonly string[] }>('review-mixed', {
  exit: Exit.usage,
  message: ({ folders, files }) =>
    files.length === 0
      ? `${folders.length} bundles were named; a review is about one`
      : `Bundles and patches do not go together: ${folders.join(', ')} is a folder, ${files.join(', ')} a file`,
  hint: 'review one bundle at a time; several patches are reviewed as the one bundle that they would make',
});

export const reviewWithoutKernel = define<{ patches: readonly string[] }>('review-without-kernel', {
  exit: Exit.usage,
  place: ({ patches }) => patches.join(', '),
  message: () => 'A patch is reviewed for a kernel, and none was named',
  hint: '--kernel RELEASE (livegraft kernel list shows those in the cache)',
});

export const reviewBuilt = define<{ path: string; flags: readonly string[] }>('review-built-already', {
  exit: Exit.usage,
  place: ({ path }) => path,
  message: ({ flags }) => `The bundle is built already: ${flags.join(' and ')} can only be said of patches`,
  hint: 'leave it out, or give the patches',
});
