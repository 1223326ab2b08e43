/** Who holds a livepatch transition back, and why: each task that has not moved, with the evidence for what keeps it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { gatherEvidence, type Watched } from './evidence.ts';
import { judge, lastResort } from './judge.ts';
import { symbolSizes } from './kallsyms.ts';
import { readLivepatches, readSwitch } from './livepatch.ts';
import { inFunctionsOf } from './patch-functions.ts';
import type { HostRoots } from './roots.ts';
import { type Frame, readStack } from './stacks.ts';
import { type PatchState, readProc, readTask, readTasks, type Task } from './tasks.ts';
import { readKernelLog, signalAfter, type TransitionTimes, transitionTimes } from './transition-log.ts';

/** What keeps a task, by evidence. */
export type BlockReason =
  /** Sleeps below a function of the patch; a signal would wake it. */
  | 'in-function'
  /** Sleeps below a function of the patch, in a way that no signal ends. */
  | 'uninterruptible'
  /** Was on a CPU, or wanted one, in every sample. */
  | 'running'
  /** Foreign code (BPF, ftrace) is on its stack, which the kernel then does not trust. */
  | 'unreliable-stack'
  | 'stopped'
  | 'traced'
  | 'frozen'
  | 'vfork'
  | 'vcpu'
  | 'exiting'
  /** Tasks of idle CPUs, which the kernel does not list. */
  | 'idle'
  /** Nothing speaks against its move: the kernel looks once a second. */
  | 'next-look';

export interface Blocker {
  /** Without one: idle tasks, which have no number. */
  readonly task?: Task;
  readonly kind: 'user' | 'kernel-thread' | 'idle';
  readonly reason: BlockReason;
  /** What it does, as the end of a sentence that begins with its name: "sleeps in pipe_read()". */
  readonly text: string;
  /** The function of the patch that is on its stack. */
  readonly where?: Frame;
  /** Its stack as the kernel showed it, innermost first; empty while it runs. */
  readonly frames: readonly Frame[];
  /** Seconds of uptime when it last ran; for those that run, when the transition began. */
  readonly since?: number;
  /** What can be done, safest first. */
  readonly advice: readonly string[];
}

export interface BlockersRequest {
  readonly roots: HostRoots;
  /** The livepatch in transition, as in /sys/kernel/livepatch. */
  readonly patch: string;
  /** The side that tasks move to: 1 while it is being enabled, 0 while it is taken back. */
  readonly target: 0 | 1;
  /** Tasks as last read, to save a reading; they are looked at again before they are explained. */
  readonly tasks?: readonly Task[];
  /** Milliseconds over which tasks that run are watched, 200 unless given. */
  readonly watch?: number;
  /** Where the kernel's log is read, /dev/kmsg unless given. */
  readonly log?: string;
  readonly signal?: AbortSignal;
}

const usualWatch = 200;

/** Empty when the livepatch is in no transition to that side (any more). Throws `tasks-unreadable`. */
export async function explainBlockers(request: BlockersRequest): Promise<Blocker[]> {
  const { roots, patch: name, target, signal } = request;
  const all = readLivepatches(roots);
  const patch = all.find((each) => each.name === name);
  if (patch === undefined || !goesOn(roots, name, target)) return [];
  const tasks = request.tasks ?? (await readTasks(roots));
  const left = tasks.filter(({ patchState }) => holdsBack(patchState, target));
  const watched = await watch(roots, left, request.watch ?? usualWatch, signal);
  const times = transitionTimes(readKernelLog(request.log), name, target);
  const inPatch = inFunctionsOf(patch, target, all, symbolSizes(roots));
  const blockers = gatherEvidence(roots, watched).map((evidence) =>
    judge(evidence, { inPatch, patch: name, target, times, uptime: uptimeOf(roots) }),
  );
  // who moved while others were looked at holds nothing back
  const still = blockers.filter(({ task }) => {
    const now = task === undefined ? undefined : readTask(roots, task.pid, task.tid);
    return now !== undefined && now.startTime === task?.startTime && holdsBack(now.patchState, target);
  });
  if (still.length > 0) return still;
  return goesOn(roots, name, target) && !(await readTasks(roots)).some((task) => holdsBack(task.patchState, target))
    ? [idle(name, target)]
    : [];
}

/** What is known of the newest transition's times; for telling how long one has lasted. */
export function timesOf(
  roots: HostRoots,
  patch: string,
  target: 0 | 1,
  log?: string,
): (TransitionTimes & { readonly seconds: number }) | undefined {
  const times = transitionTimes(readKernelLog(log), patch, target);
  return times === undefined ? undefined : { ...times, seconds: Math.max(0, uptimeOf(roots) - times.began) };
}

export function holdsBack(patchState: PatchState, target: 0 | 1): boolean {
  return patchState !== -1 && patchState !== target;
}

function goesOn(roots: HostRoots, name: string, target: 0 | 1): boolean {
  const now = readSwitch(roots, name);
  return now?.inTransition === true && now.enabled === (target === 1);
}

/** So often those that run are looked at: between two looks one may leave its CPU, and its stack is seen. */
const mostLooks = 8;

/** Each task in one look, those that run in several. */
async function watch(
  roots: HostRoots,
  tasks: readonly Task[],
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<Watched[]> {
  const watched = tasks.flatMap((task) => {
    const now = readTask(roots, task.pid, task.tid);
    return now === undefined || now.startTime !== task.startTime ? [] : [{ looks: [now], seen: [] as Frame[] }];
  });
  const busy = watched.filter(({ looks }) => looks[0]!.state === 'R');
  for (let round = 0; round < mostLooks && busy.length > 0; round++) {
    await sleep(milliseconds / mostLooks, undefined, signal === undefined ? {} : { signal });
    for (const each of busy) {
      const { pid, tid } = each.looks[0]!;
      const stack = readStack(roots, pid, tid);
      if (stack.length > 0) each.seen = stack;
      const now = readTask(roots, pid, tid);
      if (now !== undefined) each.looks.push(now);
    }
  }
  return watched;
}

/**
 * The kernel does not list the tasks of idle CPUs: that they are what is left shows in that nobody else is. They move when their CPU goes
 * through its idle loop, which the kernel has them do once a second (klp_try_complete_transition).
 */
function idle(patch: string, target: 0 | 1): Blocker {
  return {
    kind: 'idle',
    reason: 'idle',
    text: 'idle tasks of CPUs are left, or only the kernel’s next look, once a second: every task in /proc has moved',
    frames: [],
    advice: [
      `wait: the kernel sends each idle CPU through its idle loop once a second; about ${signalAfter} s without an end would be unusual`,
      ...lastResort({ patch, target }),
    ],
  };
}

function uptimeOf(roots: HostRoots): number {
  return Number.parseFloat(readProc(`${roots.proc}/uptime`) ?? '0');
}
