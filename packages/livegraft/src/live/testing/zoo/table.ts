/** The table of ways to wake and what programs saw of them, from what the animals wrote. */

/** `visible` has what was seen; `untried`: it slept no longer when it was woken; `alone`: it was not woken. */
export type Sight = 'invisible' | 'untried' | 'alone' | { readonly visible: string };

export interface Row {
  readonly program: string;
  /** By way. */
  readonly seen: ReadonlyMap<string, Sight>;
}

/** Seconds of their timeouts: time enough to wake them all, on a slow machine too. */
export const patience = 150;
const errors: Readonly<Record<number, string>> = { 4: 'EINTR', 11: 'EAGAIN' };

/** What each animal does, for people. */
const programs: Readonly<Record<string, string>> = {
  pipe: 'read, pipe, a handler without SA_RESTART',
  tty: 'read, terminal',
  sleep: 'nanosleep',
  clock: 'clock_nanosleep, absolute',
  poll: 'poll, timeout',
  ppoll: 'ppoll, timeout and signal mask',
  epoll: 'epoll_wait, timeout',
  futex: 'futex wait, timeout',
  lock: 'futex wait, absolute timeout',
  accept: 'accept',
  acceptto: 'accept, SO_RCVTIMEO',
  recv: 'recv',
  recvto: 'recv, SO_RCVTIMEO',
  readsock: 'read, socket',
  semop: 'semop',
  aio: 'io_getevents, timeout',
  threads: 'two threads, read',
  traced: 'traced by a debugger, read',
};

/**
 * `woken` has what `wake` did, by way and program (`ptrace traced` → `left`); a way that is not in there was used by the script itself. Lines `WAY PROGRAM WOKEN CALL RETURNED ERRNO BEGAN ENDED`; a debugger's `stops N` stands for what it saw.
 */
export function sightsOf(text: string, woken: ReadonlyMap<string, string>): Row[] {
  const ours = new Set([...woken.keys()].map((key) => key.split(' ')[0]));
  const rows = new Map<string, Map<string, Sight>>();
  for (const line of text.split('\n')) {
    const [way, name, at, call, returned, error, began, ended] = line.split(' ');
    if (way === undefined || name === undefined || ended === undefined) continue;
    const seen = rows.get(name) ?? new Map<string, Sight>();
    rows.set(name, seen);
    const sight =
      call === 'stops'
        ? stops(Number(returned))
        : sightOf(Number(returned), Number(error), Number(at), Number(began), Number(ended));
    // of two lines the one that shows something counts
    const outcome = woken.get(`${way} ${name}`);
    if (outcome === 'left') seen.set(way, 'alone');
    else if (ours.has(way) && outcome !== 'moved') seen.set(way, 'untried');
    else if (typeof seen.get(way) !== 'object') seen.set(way, sight);
  }
  return [...rows].map(([program, seen]) => ({ program, seen }));
}

function stops(count: number): Sight {
  return count === 0 ? 'invisible' : { visible: 'the debugger sees it stop' };
}

/** A timeout that began anew with the waking ends that much too late. */
function sightOf(returned: number, error: number, woken: number, began: number, ended: number): Sight {
  const timedOut = (returned < 0 && (error === 110 || error === 11)) || (returned === 0 && ended - began >= 2);
  if (woken > 0 && ended < woken) return 'untried';
  if (timedOut && woken > 0 && ended >= woken + patience) return { visible: 'its time began anew' };
  if (timedOut && woken > 0 && ended < began + patience - 0.01) return { visible: 'too early' };
  return returned >= 0 || timedOut ? 'invisible' : { visible: errors[error] ?? `error ${error}` };
}

const ways: Readonly<Record<string, string>> = {
  ptrace: 'ptrace (`wake`)',
  freeze: 'freeze (`wake --method freeze`)',
  stop: 'SIGSTOP, SIGCONT',
  kernel: 'the kernel’s own signal',
};

const words = { invisible: 'not seen', untried: '?', alone: 'left alone' } as const;

export function markdownTable(rows: readonly Row[]): string {
  const names = Object.keys(ways);
  const lines = [
    ['program', ...Object.values(ways)],
    names.concat('').map(() => '---'),
    ...rows.map(({ program, seen }) => [
      programs[program] ?? program,
      ...names.map((way) => {
        const sight = seen.get(way) ?? 'untried';
        return typeof sight === 'object' ? `**${sight.visible}**` : words[sight];
      }),
    ]),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
