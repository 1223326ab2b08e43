/**
 * Wakes tasks that sleep in a patched function, one by one, so that they pass the border to user space, where they change sides, and go back to sleep.
 * What all ways have in common: the sleep is cut short without a signal to deliver, and the kernel restarts the system call (host/syscalls.ts).
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryRun } from '../support/exec.ts';
import { type Blocker, holdsBack } from './blockers.ts';
import type { HostRoots } from './roots.ts';
import { restartsIn, sleepsIn } from './syscalls.ts';
import { readProc, readTask, type Task } from './tasks.ts';

/**
 * `ptrace`: seized, interrupted, let go (PTRACE_SEIZE and PTRACE_INTERRUPT: no SIGSTOP, no SIGCHLD); ends by itself if livegraft is killed in between.
 * `freeze`: frozen and thawed in a cgroup of its own, for a moment. `continue`: SIGCONT, for a stopped process.
 */
export type WakeMethod = 'ptrace' | 'freeze' | 'continue';

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
  if (reason !== 'in-function') return no(`it ${text}`);
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

/** Each returns what went wrong, by task. */
type Way = (roots: HostRoots, tasks: readonly Task[], signal: AbortSignal | undefined) => Promise<Map<number, string>>;

const ways: Readonly<Record<WakeMethod, Way>> = {
  ptrace: byPtrace,
  freeze: (roots, tasks) => Promise.resolve(new Map(tasks.flatMap((task) => byFreezing(roots, task)))),
  continue: (_, tasks) => Promise.resolve(new Map(tasks.flatMap(byContinuing))),
};

/**
 * Perl is on every Debian, and can make system calls. A tracer that dies lets go of its tasks. waitpid with __WALL, for threads; not
 * for ever: a task that sleeps uninterruptibly does not stop. Numbers of x86-64: ptrace is 101; SEIZE 0x4206, INTERRUPT 0x4207, DETACH 17.
 */
const tracer = `
use POSIX ":sys_wait_h"; $| = 1;
for my $tid (map { $_ + 0 } @ARGV) {
  if (syscall(101, 0x4206, $tid, 0, 0) < 0) { print "$tid seize: $!\\n"; next }
  if (syscall(101, 0x4207, $tid, 0, 0) < 0) { print "$tid interrupt: $!\\n"; next }
  my $tries = 0;
  until (waitpid($tid, 0x40000000 | WNOHANG) == $tid || $tries++ == 200) { select undef, undef, undef, 0.005 }
  if (syscall(101, 17, $tid, 0, 0) < 0) { print "$tid it did not react within a second\\n" }
}`;

async function byPtrace(
  _: HostRoots,
  tasks: readonly Task[],
  signal: AbortSignal | undefined,
): Promise<Map<number, string>> {
  if (process.arch !== 'x64')
    return new Map(tasks.map(({ tid }) => [tid, 'this way is for x86-64: try --method freeze']));
  const { exitCode, stdout, stderr } = await tryRun('perl', ['-e', tracer, ...tasks.map(({ tid }) => String(tid))], {
    ...(signal === undefined ? {} : { signal }),
  });
  const troubles = new Map<number, string>();
  for (const [, tid, what] of stdout.matchAll(/^(\d+) (.*)$/gm)) troubles.set(Number(tid), ptraceTrouble(what!));
  if (exitCode !== 0) for (const { tid } of tasks) troubles.set(tid, `perl ended with ${exitCode}: ${stderr.trim()}`);
  return troubles;
}

function ptraceTrouble(what: string): string {
  return what.includes('not permitted') ? `${what}: another debugger holds it, or kernel.yama.ptrace_scope is 3` : what;
}

const prefix = 'livegraft-wake-';

/**
 * A threaded cgroup below the task's own has no controllers: nothing is accounted or limited otherwise while the task is in it. Between the two
 * writes lies nothing that waits; should livegraft die there, `thawLeftovers` finds the cgroup.
 */
function byFreezing(roots: HostRoots, { pid, tid }: Task): [number, string][] {
  const root = cgroupRoot(roots);
  const own = /^0::(.*)$/m.exec(readProc(`${roots.proc}/${pid}/task/${tid}/cgroup`) ?? '')?.[1];
  if (root === undefined || own === undefined) return [[tid, 'there is no cgroup v2 hierarchy']];
  if (own === '/') return [[tid, 'it is in the root cgroup, which cannot be frozen']];
  const home = join(root, own);
  const cell = join(home, `${prefix}${tid}`);
  try {
    mkdirSync(cell);
    try {
      writeFileSync(join(cell, 'cgroup.type'), 'threaded');
      writeFileSync(join(cell, 'cgroup.threads'), String(tid));
      writeFileSync(join(cell, 'cgroup.freeze'), '1');
    } finally {
      empty(cell);
    }
    return [];
  } catch (error) {
    return [[tid, `cgroup ${cell}: ${(error as Error).message}`]];
  }
}

/** Thaws a cgroup of ours, moves its tasks back up and removes it. */
function empty(cell: string): void {
  writeFileSync(join(cell, 'cgroup.freeze'), '0');
  for (const tid of readFileSync(join(cell, 'cgroup.threads'), 'latin1').split('\n').filter(Boolean))
    writeFileSync(join(dirname(cell), 'cgroup.threads'), tid);
  rmdirSync(cell);
}

/** Frees what a livegraft that was killed left frozen; returns the cgroups. */
export function thawLeftovers(roots: HostRoots): string[] {
  const root = cgroupRoot(roots);
  if (root === undefined) return [];
  const cells = cellsBelow(root);
  for (const cell of cells) empty(cell);
  return cells;
}

function cellsBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [];
    const path = join(folder, entry.name);
    return entry.name.startsWith(prefix) ? [path] : cellsBelow(path);
  });
}

function cgroupRoot(roots: HostRoots): string | undefined {
  return /^\S+ (\S+) cgroup2 /m.exec(readProc(`${roots.proc}/mounts`) ?? '')?.[1];
}

function byContinuing({ pid, tid }: Task): [number, string][] {
  try {
    process.kill(pid, 'SIGCONT');
    return [];
  } catch (error) {
    return [[tid, (error as Error).message]];
  }
}
