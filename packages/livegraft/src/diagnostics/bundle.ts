/** Problems with bundles: the folders that a build leaves. */
import { define, Exit } from './diagnostic.ts';

export const bundleUnreadable = define<{ path: string; problem: string }>('bundle-unreadable', {
  place: ({ path }) => path,
  message: ({ problem }) => `Not a bundle that livegraft can read: ${problem}`,
  hint: 'give the folder that `livegraft build` made, with manifest.json and the module in it',
});

export const bundleTampered = define<{ path: string; expected: string; found: string }>('bundle-tampered', {
  place: ({ path }) => path,
  message: ({ expected, found }) =>
    `The module is not the one that was built: sha256 ${found}, the manifest says ${expected}`,
  hint: 'build the bundle again',
});

export const reviewUnreadable = define<{ path: string; problem: string }>('review-unreadable', {
  place: ({ path }) => path,
  message: ({ problem }) => `The bundle has no review that livegraft can read: ${problem}`,
  hint: 'build the bundle again',
});

export const bundleForeign = define<{
  path: string;
  builtFor: string;
  builtForId: string;
  kernel: string;
  kernelId: string;
}>('bundle-for-other-kernel', {
  exit: Exit.provenance,
  place: ({ path }) => path,
  message: ({ builtFor, builtForId, kernel, kernelId }) =>
    `The bundle is for the kernel ${builtFor} (build-id ${builtForId.slice(0, 12)}…), not for ${kernel} (${kernelId.slice(0, 12)}…)`,
  hint: ({ kernel }) => `build the patch again with --kernel ${kernel}`,
});

export const outputOccupied = define<{ path: string }>('output-occupied', {
  exit: Exit.usage,
  place: ({ path }) => path,
  message: () => 'There is something else in the place of the bundle: no manifest.json of livegraft in it',
  hint: 'choose another folder with -o, or another name with --name',
});

export const outputUnusable = define<{ path: string; problem: string }>('output-unusable', {
  exit: Exit.failed,
  place: ({ path }) => path,
  message: ({ problem }) => `The bundle cannot be written: ${problem}`,
  hint: 'choose another folder with -o',
});

export const nameInvalid = define<{ name: string }>('name-invalid', {
  exit: Exit.usage,
  message: ({ name }) =>
    `${JSON.stringify(name)} cannot be a module's name: lower-case letters, digits and _, at most 55 of them, are`,
  hint: 'choose a name with --name',
});

export const nameTaken = define<{ name: string; kernel: string }>('name-taken', {
  exit: Exit.usage,
  message: ({ name, kernel }) => `${kernel} has a module ${name} of its own`,
  hint: 'choose another name with --name',
});

export const patchUnreadable = define<{ path: string; problem: string }>('patch-unreadable', {
  place: ({ path }) => path,
  message: ({ problem }) => `Cannot read the patch: ${problem}`,
  hint: 'give the file of a source patch, as `git diff` or `diff -up` write it',
});
