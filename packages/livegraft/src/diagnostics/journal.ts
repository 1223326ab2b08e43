/** What livegraft's own files say about earlier attempts, and what is wanted of this machine: journal, quarantine, enabled bundles. */
import { define, Exit } from './diagnostic.ts';

export const journalUnwritable = define<{ path: string; problem: string; action: string }>('journal-unwritable', {
  exit: Exit.failed,
  place: ({ path }) => path,
  message: ({ problem, action }) =>
    `What is about to happen cannot be written down (${problem}); without that no ${action} is begun`,
  hint: 'make room there, or make the file system writable; `revert` and `unload` work without a journal',
});

export const journalSilent = define<{ path: string; problem: string }>('journal-silent', {
  severity: 'warning',
  exit: Exit.failed,
  place: ({ path }) => path,
  message: ({ problem }) =>
    `The journal could not be written (${problem}): should the machine go down, the next start will not know of this`,
});

export const journalDamaged = define<{ path: string; lines: readonly number[]; problem: string }>('journal-damaged', {
  severity: 'warning',
  exit: Exit.failed,
  place: ({ path, lines }) => `${path}:${lines[0]}`,
  message: ({ lines, problem }) =>
    `${lines.length === 1 ? 'A line' : `${lines.length} lines`} in the middle cannot be read (${problem}). A power cut leaves no such thing: the file or the disk is damaged. The rest is used`,
  hint: 'look at the file, and at the disk; attempts and quarantines that stood there are not known',
});

export const attemptKilled = define<{
  action: string;
  name: string;
  pid: number;
  time: string;
  step: string;
  found: string;
}>('attempt-killed', {
  severity: 'note',
  exit: Exit.failed,
  place: ({ name }) => name,
  message: ({ action, pid, time, step, found }) =>
    `An earlier livegraft (process ${pid}) was killed during \`${action}\`, ${time}, after “${step}”. The kernel says: ${found}`,
});

export const attemptLeft = define<{ action: string; name: string; time: string }>('attempt-left', {
  severity: 'note',
  exit: Exit.failed,
  place: ({ name }) => name,
  message: ({ action, time }) =>
    `\`${action}\` of ${time} was left to the kernel, and the machine was booted again before its end was seen`,
});

export const machineWentDown = define<{ name: string; what: string; time: string; step: string; count: number }>(
  'machine-went-down',
  {
    severity: 'warning',
    exit: Exit.failed,
    place: ({ name }) => name,
    message: ({ what, time, step }) =>
      `The machine went down while it was being ${what}, ${time}, after “${step}”: a crash or a power cut, which look the same from here`,
    hint: ({ count }) =>
      count < strikes
        ? 'if that happens once more, the bundle is quarantined'
        : 'that was the second time: it is quarantined',
  },
);

/** So many boots that ended during an attempt put a bundle into quarantine. */
export const strikes = 2;

export const quarantined = define<{ name: string; times: readonly string[] }>('quarantined', {
  exit: Exit.refused,
  place: ({ name }) => name,
  message: ({ times }) =>
    `The bundle is quarantined: the machine went down ${times.length} times while it was being loaded, settled or taken back (${times.join('; ')})`,
  hint: ({ name }) =>
    `find out why (the console’s or the firmware’s log, \`livegraft try\`); if it was not the bundle: livegraft quarantine ${name} --lift`,
});

export const notQuarantined = define<{ name: string; known: readonly string[] }>('not-quarantined', {
  exit: Exit.usage,
  place: ({ name }) => name,
  message: ({ known }) =>
    `Nothing stands against it: ${known.length === 0 ? 'no bundle is quarantined or under suspicion' : `only against ${known.join(', ')}`}`,
});

export const liftNothing = define<Record<string, never>>('lift-what', {
  exit: Exit.usage,
  message: () => 'Which bundle is meant must be said: livegraft quarantine NAME --lift',
  hint: 'livegraft quarantine lists them',
});

export const enableConflict = define<{ name: string; other: string; functions: readonly string[] }>('enable-conflict', {
  place: ({ name }) => name,
  message: ({ other, functions }) =>
    `${other} is enabled for the same kernel and replaces ${functions.length === 1 ? 'the same function' : 'the same functions'}: ${functions.join(', ')}`,
  hint: ({ other }) => `livegraft disable ${other}; or build both patches into one bundle, or this one with --replace`,
});

export const kernelNameOdd = define<{ path: string; release: string; buildId: string }>('kernel-name-odd', {
  place: ({ path }) => path,
  message: ({ release, buildId }) =>
    `The bundle names no kernel that could be running: release ${JSON.stringify(release)}, build-id ${JSON.stringify(buildId)}`,
  hint: 'build the bundle again',
});

export const notEnabled = define<{ name: string; kernel: string; elsewhere: readonly string[] }>('not-enabled', {
  exit: Exit.usage,
  place: ({ name }) => name,
  message: ({ kernel }) => `No bundle of this name is enabled for ${kernel}`,
  hint: ({ elsewhere, name }) =>
    elsewhere.length === 0 ? 'livegraft status shows what is' : `livegraft disable ${name} --kernel ${elsewhere[0]}`,
});

export const enabledBroken = define<{ path: string; problem: string }>('enabled-broken', {
  exit: Exit.failed,
  place: ({ path }) => path,
  message: ({ problem }) => `What is enabled there cannot be used: ${problem}`,
  hint: 'enable the bundle again',
});
