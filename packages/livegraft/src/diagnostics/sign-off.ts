/** Problems with sign-offs, and with bundles that are not what somebody answered for. */
import { define, Exit } from './diagnostic.ts';

export const bundleInconsistent = define<{ path: string; file: string; problem: string }>('bundle-inconsistent', {
  place: ({ path, file }) => `${path}/${file}`,
  message: ({ problem }) => `The files of the bundle do not fit together: ${problem}`,
  hint: 'build the bundle again',
});

export const reportOther = define<{ path: string; missing: boolean }>('report-other', {
  place: ({ path }) => `${path}/report.html`,
  message: ({ missing }) =>
    missing
      ? 'The bundle has no report.html, which is what a reviewer reads'
      : 'report.html is not what this version of livegraft draws from the files beside it: whoever read it may have seen something else',
  hint: ({ path }) => `draw it again and read it: livegraft review ${path} --output ${path}/report.html`,
});

export const reportUnwritable = define<{ path: string; problem: string }>('report-unwritable', {
  exit: Exit.failed,
  place: ({ path }) => path,
  message: ({ problem }) => `The report cannot be written there: ${problem}`,
  hint: 'name a file where you may write',
});

export const signOffsUnreadable = define<{ path: string; problem: string }>('sign-offs-unreadable', {
  place: ({ path }) => path,
  message: ({ problem }) => `The sign-offs cannot be read, and none of them counts: ${problem}`,
  hint: 'put the file back as it was; or remove it, and have the bundle signed again',
});

export const signOffUnwritable = define<{ path: string; problem: string }>('sign-off-unwritable', {
  exit: Exit.failed,
  place: ({ path }) => path,
  message: ({ problem }) => `The sign-off cannot be written: ${problem}`,
  hint: 'sign a copy of the bundle in a folder that you may write to',
});

export const signOffUnconfirmed = define<{ name: string }>('sign-off-unconfirmed', {
  exit: Exit.usage,
  message: ({ name }) => `Nobody can be asked whether ${name} is to be signed: there is no terminal`,
  hint: 'read what is shown above, then repeat the command with --yes',
});

export const signOffDeclined = define<{ name: string }>('sign-off-declined', {
  exit: Exit.failed,
  message: ({ name }) => `${name} was not signed`,
});

export const changedMeanwhile = define<{ path: string; changes: readonly string[] }>('bundle-changed-meanwhile', {
  exit: Exit.failed,
  place: ({ path }) => path,
  message: ({ changes }) => `Nothing was signed: the bundle changed since it was shown; ${changes.join(', ')}`,
  hint: 'look at it again, then sign',
});

export const keyRefused = define<{ key: string; said: string }>('signing-failed', {
  exit: Exit.failed,
  place: ({ key }) => key,
  message: ({ said }) => `ssh-keygen made no signature with this key: ${said}`,
  hint: 'give a private key of SSH, or the public key of one that ssh-agent holds',
});

export const signOffMissing = define<{ path: string; why: string }>('sign-off-missing', {
  place: ({ path }) => path,
  message: ({ why }) => `A sign-off is required (${why}), and nobody has signed this bundle`,
  hint: ({ path }) => `livegraft sign-off ${path} --by 'Name <mail>' --verdict approved`,
});

export const signOffStale = define<{ path: string; by: string; time: string; changes: readonly string[] }>(
  'sign-off-stale',
  {
    place: ({ path }) => path,
    message: ({ by, time, changes }) =>
      `The sign-off of ${by} (${time}) is about another state of the bundle: ${changes.join(', ')} since then`,
    hint: ({ path }) => `have it looked at and signed again: livegraft sign-off ${path}`,
  },
);

export const signOffRejected = define<{ path: string; by: string; time: string; comment?: string }>(
  'sign-off-rejected',
  {
    place: ({ path }) => path,
    message: ({ by, time, comment }) =>
      `${by} rejected this module (${time})${comment === undefined ? '' : `: ${comment}`}`,
    hint: 'mend what they found and build again; or they themselves approve it',
  },
);

export const signOffUnproved = define<{ path: string; by: string; signers: string; said: string }>(
  'sign-off-unproved',
  {
    place: ({ path }) => path,
    message: ({ by, signers, said }) => `The sign-off of ${by} does not count: ${said}, as ${signers} asks`,
    hint: 'sign with --key, a key of theirs that the file names; or correct the file (ALLOWED SIGNERS in ssh-keygen(1))',
  },
);

export const rebuildOtherLivegraft = define<{ path: string; built: string; here: string }>('rebuild-other-livegraft', {
  exit: Exit.failed,
  place: ({ path }) => path,
  message: ({ built, here }) =>
    `livegraft ${built} built this bundle, and this is ${here}: another version makes other bytes`,
  hint: ({ built }) => `verify it with livegraft ${built}`,
});

export const rebuildNoKernel = define<{ path: string; kernel: string; buildId: string; found?: string }>(
  'rebuild-no-kernel',
  {
    place: ({ path }) => path,
    message: ({ kernel, buildId, found }) =>
      found === undefined
        ? `The kernel it was built for, ${kernel} (build-id ${buildId.slice(0, 12)}…), is not in the cache`
        : `The kernel ${kernel} in the cache is not the one it was built for: its build-id is ${found.slice(0, 12)}…, the bundle’s is ${buildId.slice(0, 12)}…`,
    hint: ({ kernel }) => `livegraft kernel fetch ${kernel}`,
  },
);

export const rebuildNoInputs = define<{ path: string; count: number }>('rebuild-no-inputs', {
  place: ({ path }) => path,
  message: ({ count }) =>
    `patch.diff cannot be taken apart into its ${count} patches: the manifest does not say where each ends`,
  hint: 'a livegraft before 0.2 built it: build it again',
});

export const rebuildDiffers = define<{ path: string; file: string; where: string; bundle: string; rebuilt: string }>(
  'rebuild-differs',
  {
    exit: Exit.failed,
    place: ({ path, file }) => `${path}/${file}`,
    message: ({ where, bundle, rebuilt }) =>
      `Not what its inputs give: ${where}: ${bundle} in the bundle, ${rebuilt} rebuilt`,
    hint: 'it was changed after the build, or built with other tools or sources; do not load it before you know which',
  },
);
