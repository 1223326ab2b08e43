/** Where a function itself waits: for what kind of thing, whether a signal ends it, and for how long at most (kernel/sched, include/linux/wait.h). */
import { type Code, plain } from './code.ts';
import { type CallStep, type Steps, stepsOf } from './steps.ts';

/** `idle`: uninterruptible, and no load: a kernel thread without work. */
export type Manner = 'interruptible' | 'idle' | 'killable' | 'uninterruptible' | 'unknown';

export interface Wait {
  /** The function that sleeps: `schedule_timeout`, `wait_woken`. */
  readonly by: string;
  readonly manner: Manner;
  /** `input-output`: a device answers, or a file server. */
  readonly for: 'event' | 'input-output';
  /** It ends by itself, after a time that the code does not show. */
  readonly timed: boolean;
  /** Jiffies, where the code shows a constant. */
  readonly limit?: bigint;
}

interface Kind {
  /** `set`: what prepare_to_wait() or set_current_state() said before; a number: the argument that says it. */
  readonly state: Manner | 'set' | number;
  /** Argument that is the most jiffies to wait; 0 is the first. */
  readonly limit?: number;
  readonly for?: 'input-output';
}

const kinds: Readonly<Record<string, Kind>> = {
  schedule: { state: 'set' },
  freezable_schedule: { state: 'set' },
  schedule_timeout: { state: 'set', limit: 0 },
  freezable_schedule_timeout: { state: 'set', limit: 0 },
  schedule_hrtimeout: { state: 'set' },
  schedule_hrtimeout_range: { state: 'set' },
  schedule_hrtimeout_range_clock: { state: 'set' },
  schedule_timeout_interruptible: { state: 'interruptible', limit: 0 },
  schedule_timeout_killable: { state: 'killable', limit: 0 },
  schedule_timeout_uninterruptible: { state: 'uninterruptible', limit: 0 },
  schedule_timeout_idle: { state: 'idle', limit: 0 },
  poll_schedule_timeout: { state: 1 },
  wait_woken: { state: 1, limit: 2 },
  do_wait_intr: { state: 'interruptible' },
  do_wait_intr_irq: { state: 'interruptible' },
  sk_wait_data: { state: 'interruptible' },
  sk_stream_wait_memory: { state: 'interruptible' },
  sk_stream_wait_connect: { state: 'interruptible' },
  futex_wait_queue: { state: 'interruptible' },
  futex_wait_queue_me: { state: 'interruptible' },
  do_nanosleep: { state: 'interruptible' },
  pipe_wait_readable: { state: 'interruptible' },
  pipe_wait_writable: { state: 'interruptible' },
  wait_for_completion: { state: 'uninterruptible' },
  wait_for_completion_timeout: { state: 'uninterruptible', limit: 1 },
  wait_for_completion_interruptible: { state: 'interruptible' },
  wait_for_completion_interruptible_timeout: { state: 'interruptible', limit: 1 },
  wait_for_completion_killable: { state: 'killable' },
  wait_for_completion_killable_timeout: { state: 'killable', limit: 1 },
  wait_for_completion_state: { state: 1 },
  wait_for_completion_io: { state: 'uninterruptible', for: 'input-output' },
  wait_for_completion_io_timeout: { state: 'uninterruptible', limit: 1, for: 'input-output' },
  io_schedule: { state: 'uninterruptible', for: 'input-output' },
  io_schedule_timeout: { state: 'uninterruptible', limit: 0, for: 'input-output' },
  __wait_on_buffer: { state: 'uninterruptible', for: 'input-output' },
  out_of_line_wait_on_bit: { state: 3, for: 'input-output' },
  __wait_on_bit: { state: 'unknown', for: 'input-output' },
  folio_wait_bit: { state: 'uninterruptible', for: 'input-output' },
  folio_wait_bit_killable: { state: 'killable', for: 'input-output' },
  submit_bio_wait: { state: 'uninterruptible', for: 'input-output' },
};

/** Functions that say the state before a sleep, in their third argument. */
const preparing = /^prepare_to_(wait|wait_exclusive|wait_event|swait_event|swait_exclusive)$/;

/** include/linux/sched.h */
const TASK_INTERRUPTIBLE = 0x1n;
const TASK_UNINTERRUPTIBLE = 0x2n;
const TASK_WAKEKILL = 0x100n;
const TASK_NOLOAD = 0x400n;
/** No limit: MAX_SCHEDULE_TIMEOUT, LONG_MAX. */
const never = (1n << 63n) - 1n;

/** Whether a call of that name is a sleep of the caller’s, and not work to be followed. */
export function isWait(name: string): boolean {
  return Object.hasOwn(kinds, plain(name));
}

/** Each way to wait once. */
export function waitsOf(code: Code, steps: () => Steps = () => stepsOf(code)): Wait[] {
  if (!code.calls.some(({ name }) => isWait(name))) return [];
  const seen = steps();
  const waits = seen.calls.filter(({ name }) => isWait(name)).map((call) => waitAt(call, seen));
  return [
    ...new Map(waits.map((wait) => [`${wait.by} ${wait.manner} ${wait.timed} ${wait.limit ?? ''}`, wait])).values(),
  ];
}

function waitAt(call: CallStep, steps: Steps): Wait {
  const by = plain(call.name);
  const kind = kinds[by]!;
  const limits = kind.limit === undefined ? [] : call.constants[kind.limit]!;
  const timed = kind.limit !== undefined && !limits.includes(never);
  const longest = limits.reduce((most, each) => (each > most ? each : most), 0n);
  return {
    by,
    manner:
      typeof kind.state === 'number'
        ? strongest(call.constants[kind.state]!)
        : kind.state === 'set'
          ? strongest(statesBefore(call, steps))
          : kind.state,
    for: kind.for ?? 'event',
    timed,
    ...(timed && longest > 0n ? { limit: longest } : {}),
  };
}

/** The nearest that is said above the call; where the compiler put it below, the nearest there. */
function statesBefore({ offset }: CallStep, { calls, states }: Steps): readonly bigint[] {
  const said = [
    ...states.filter(({ value }) => value !== 0n).map(({ offset: at, value }) => ({ at, values: [value] })),
    ...calls
      .filter(({ name }) => preparing.test(name))
      .map(({ offset: at, constants }) => ({ at, values: constants[2]! })),
  ].toSorted((a, b) => a.at - b.at);
  return (said.findLast(({ at }) => at < offset) ?? said[0])?.values ?? [];
}

function strongest(values: readonly bigint[]): Manner {
  const manners = new Set(values.map(mannerOf));
  for (const manner of ['interruptible', 'idle', 'killable', 'uninterruptible'] as const)
    if (manners.has(manner)) return manner;
  return 'unknown';
}

function mannerOf(state: bigint): Manner {
  if ((state & TASK_INTERRUPTIBLE) !== 0n) return 'interruptible';
  if ((state & TASK_UNINTERRUPTIBLE) === 0n) return 'unknown';
  if ((state & TASK_NOLOAD) !== 0n) return 'idle';
  return (state & TASK_WAKEKILL) !== 0n ? 'killable' : 'uninterruptible';
}
