/** Problems with the machine livegraft works on: programs, disk, locks. */
import { define, Exit } from './diagnostic.ts';

export const programMissing = define<{ program: string }>('program-missing', {
  exit: Exit.failed,
  message: ({ program }) => `Cannot start ${program}: no such program in PATH`,
  hint: 'run `livegraft doctor` to see which packages are needed',
});

export const programFailed = define<{ command: string; how: string; output: string }>('program-failed', {
  exit: Exit.failed,
  message: ({ command, how, output }) =>
    `${command.length > 200 ? `${command.slice(0, 200)} …` : command} ${how}${output === '' ? '' : `:\n${output}`}`,
});

export const diskFull = define<{ path: string }>('disk-full', {
  exit: Exit.failed,
  // not the unfinished file or folder, which is gone when this is read
  message: ({ path }) => `No space left on the disk that holds ${path.replace(/\/\.tmp-.*$/, '')}`,
  hint: 'free some space, or use another disk: XDG_CACHE_HOME for the cache, -o for bundles; nothing half-written was left behind',
});

export const busy = define<{ what: string; pid: number }>('busy', {
  exit: Exit.busy,
  message: ({ what, pid }) => `Another livegraft${pid > 0 ? ` (process ${pid})` : ''} is working on ${what}`,
  hint: 'wait for it to end, then run this again',
});
