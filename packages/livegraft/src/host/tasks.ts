/**
 * Every task of the machine with its side in a livepatch transition: /proc/PID/task/TID/{patch_state,stat}, two small reads a task
 * (Documentation/filesystems/proc.rst; patch_state: fs/proc/base.c). Idle tasks have no entry there.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { tasksUnreadable } from '../diagnostics/blockers.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import type { HostRoots } from './roots.ts';

/** -1: no transition; 0: the task runs the unpatched functions; 1: the patched ones. */
export type PatchState = -1 | 0 | 1;

export interface Task {
  /** The process (thread group). */
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
  /** As in /proc/TID/stat: R, S, D, T, t, Z, X, I … */
  readonly state: string;
  readonly patchState: PatchState;
  readonly kernelThread: boolean;
  readonly exiting: boolean;
  /** Where it ran last. */
  readonly cpu?: number;
  /** Clock ticks since the kernel started; with `tid`, the identity of a task. */
  readonly startTime: number;
  /** Processor time used, in clock ticks. */
  readonly cpuTime: number;
  readonly parent: number;
}

/** include/linux/sched.h */
const PF_EXITING = 0x0000_0004;
const PF_KTHREAD = 0x0020_0000;

/** So many tasks are read before others get their turn. */
const batch = 128;

/** All tasks there are now; those that come or go meanwhile may be missing. Throws `tasks-unreadable` when patch_state may not be read. */
export async function readTasks(roots: HostRoots): Promise<Task[]> {
  const tasks: Task[] = [];
  let read = 0;
  for (const pid of numbers(roots.proc)) {
    for (const tid of numbers(`${roots.proc}/${pid}/task`)) {
      const task = readTask(roots, pid, tid);
      if (task !== undefined) tasks.push(task);
      // small files of /proc are read faster without the thread pool, but not all at once
      if (++read % batch === 0) await turn();
    }
  }
  return tasks;
}

/** One task; undefined when it is gone. */
export function readTask(roots: HostRoots, pid: number, tid: number): Task | undefined {
  const folder = `${roots.proc}/${pid}/task/${tid}`;
  const stat = readProc(`${folder}/stat`);
  return stat === undefined ? undefined : parseStat(stat, pid, readPatchState(`${folder}/patch_state`));
}

function readPatchState(path: string): PatchState {
  try {
    const value = Number(readFileSync(path, 'latin1'));
    return value === 0 || value === 1 ? value : -1;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') throw new LivegraftError(tasksUnreadable({ path }));
    // the task is gone, or the kernel has no livepatching
    return -1;
  }
}

/** A line of /proc/PID/stat; undefined when it is not one. The command name may hold any byte, ')' and newlines too. */
export function parseStat(text: string, pid: number, patchState: PatchState): Task | undefined {
  const [open, close] = [text.indexOf('('), text.lastIndexOf(')')];
  if (open < 0 || close < open) return undefined;
  // fields are counted from 1 in proc(5); the one after the name, `state`, is the third
  const fields = text
    .slice(close + 2)
    .trimEnd()
    .split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  const flags = field(9);
  const cpu = field(39);
  return {
    pid,
    tid: Number(text.slice(0, open)),
    comm: Buffer.from(text.slice(open + 1, close), 'latin1').toString('utf8'),
    state: fields[0] ?? '?',
    patchState,
    kernelThread: (flags & PF_KTHREAD) !== 0,
    exiting: (flags & PF_EXITING) !== 0,
    ...(Number.isInteger(cpu) ? { cpu } : {}),
    startTime: field(22),
    cpuTime: field(14) + field(15),
    parent: field(4),
  };
}

/** A file of /proc as it stands; undefined when it went away or may not be read. Bytes as latin1. */
export function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function numbers(folder: string): number[] {
  try {
    return readdirSync(folder).flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}
