/**
 * Wakes tasks that sleep in a patched function, one by one, so that they pass the border to user space, where they change sides, and go back to sleep.
 * What all ways have in common: the sleep is cut short without a signal to deliver, and the kernel restarts the system call (host/syscalls.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Blocker, holdsBack } from './blockers.ts';
import { readTracer } from './evidence.ts';
import type { HostRoots } from './roots.ts';
import { restartsIn, sleepsIn } from './syscalls.ts';
import { readTask, type Task } from './tasks.ts';
import { type WakeMethod, ways } from './wake-ways.ts';

export interface WakeRequest {
  readonly roots: HostRoots;
  readonly target: 0 | 1;
  readonly blockers: readonly Blocker[];
  /** These, even if they may notice; without it those that cannot. */
  readonly chosen?: readonly number[];
  readonly method: WakeMethod;
  readonly dryRun: boolean;
  readonly signal?: AbortSignal;
}

export interface Waking {
  readonly task: Task;
  /**
   * `moved`: it has changed sides. `stayed`: it was woken and has not. `left`: not touched. `failed`: could not be woken. `gone`: it ended, or moved by itself.
   * `would`: with `dryRun`.
   */
  readonly outcome: 'moved' | 'stayed' | 'left' | 'failed' | 'gone' | 'would';
  readonly why: string;
}

interface Choice {
  readonly task: Task;
  readonly wake: boolean;
  readonly why: string;
}

/** Wakes those that were chosen, or that cannot notice; tells of each blocker what became of it. */
export async function wakeTasks(request: WakeRequest): Promise<Waking[]> {
  const { roots, target, dryRun, method } = request;
  const choices = request.blockers.flatMap((blocker) => {
    const choice = choose(blocker, request);
    return choice === undefined ? [] : [choice];
  });
  const chosen = choices.filter(({ wake }) => wake);
  const left = choices.filter(({ wake }) => !wake).map(({ task, why }): Waking => ({ task, outcome: 'left', why }));
  if (dryRun) return [...chosen.map(({ task, why }): Waking => ({ task, outcome: 'would', why })), ...left];
  // the number of a task that ended may belong to another by now
  const there = chosen.filter(({ task }) => stillHeld(roots, task, target));
  const troubles =
    there.length === 0
      ? new Map<number, string>()
      : await ways[method](
          roots,
          there.map(({ task }) => task),
          target,
          request.signal,
        );
  await settle(
    roots,
    there.map(({ task }) => task),
    target,
  );
  const woken = chosen.map(({ task, why }): Waking => {
    if (!there.some((each) => each.task === task)) return { task, outcome: 'gone', why: 'moved by itself, or ended' };
    const trouble = troubles.get(task.tid);
    if (!stillHeld(roots, task, target)) return { task, outcome: 'moved', why };
    return trouble === undefined
      ? { task, outcome: 'stayed', why: stayedWhy(method) }
      : { task, outcome: 'failed', why: trouble };
  });
  return [...woken, ...left];
}

function stayedWhy(method: WakeMethod): string {
  return method === 'continue'
    ? 'it was continued, and is in the function again or still'
    : 'it was woken, and is in the function again or still';
}

function choose(
  { task, reason, text, kind, frames }: Blocker,
  { roots, chosen, method }: WakeRequest,
): Choice | undefined {
  if (task === undefined) return undefined;
  const asked = chosen?.includes(task.tid) ?? false;
  const no = (why: string): Choice => ({ task, wake: false, why });
  if (chosen !== undefined && !asked) return undefined;
  if (kind === 'kernel-thread') return no(`a kernel thread, which ${text}: only the kernel wakes it`);
  if (method === 'continue')
    return reason === 'stopped'
      ? { task, wake: true, why: 'continued by SIGCONT' }
      : no(`it ${text}: it is not stopped`);
  // below foreign code too: on its way to user space it leaves that
  if (reason !== 'in-function' && !(reason === 'unreliable-stack' && task.state === 'S')) return no(`it ${text}`);
  const tracer = readTracer(roots, task.pid, task.tid);
  if (tracer !== undefined) return no(`${tracer.comm} (${tracer.pid}) traces it, and would see it stop`);
  const call = sleepsIn(roots, task.pid, task.tid);
  const symbols = frames.map(({ symbol }) => symbol);
  if (call !== undefined && restartsIn(call, symbols))
    return { task, wake: true, why: `${call.name} was restarted by the kernel` };
  const because =
    call === undefined
      ? 'what its system call does then is not known'
      : `${call.name} may show it: ${call.because ?? ''}`;
  return asked ? { task, wake: true, why: because } : no(`${because}; --task ${task.tid} wakes it all the same`);
}

function stillHeld(roots: HostRoots, task: Task, target: 0 | 1): boolean {
  const now = readTask(roots, task.pid, task.tid);
  return now !== undefined && now.startTime === task.startTime && holdsBack(now.patchState, target);
}

/** A woken task has changed sides as soon as it gets a processor. */
async function settle(roots: HostRoots, tasks: readonly Task[], target: 0 | 1): Promise<void> {
  for (let tries = 0; tries < 20 && tasks.some((task) => stillHeld(roots, task, target)); tries++) await sleep(50);
}
