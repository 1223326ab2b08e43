/** What the kernel shows about a task that holds a transition back, gathered before it is judged. */
import { readdirSync, readlinkSync } from 'node:fs';
import { type BpfOwner, findBpfOwners } from './bpf.ts';
import { frozenBy } from './cgroups.ts';
import type { HostRoots } from './roots.ts';
import { type Foreign, type Frame, foreignCode, readStack } from './stacks.ts';
import { type SystemCall, sleepsIn } from './syscalls.ts';
import { readProc, readTask, type Task } from './tasks.ts';

export interface Evidence {
  readonly task: Task;
  /** In one look or more, the last one is `task`. */
  readonly looks: readonly Task[];
  /** Innermost first. Of one that runs: as it was seen off its CPU, if it was. */
  readonly frames: readonly Frame[];
  readonly foreign?: Foreign & { readonly owners: readonly BpfOwner[] };
  /** What it sleeps in, if it is a system call that is known. */
  readonly call?: SystemCall;
  /** Seconds of the scheduler's clock, about those of uptime, when it last ran. */
  readonly lastRan?: number;
  /** Who traces it, asleep or stopped. */
  readonly tracer?: Named;
  /** The cgroup that it is frozen by, as a folder. */
  readonly frozenBy?: string;
  /** Its children that still share its memory: a vfork waits for one. */
  readonly children: readonly Named[];
  /** Its process runs virtual machines. */
  readonly hypervisor: boolean;
  /** Its CPU has no tick: nothing interrupts a task there. */
  readonly withoutTick: boolean;
}

export interface Named {
  readonly pid: number;
  readonly comm: string;
  readonly state: string;
}

/** A task in its looks, and the stack that was seen in one of them while it ran. */
export interface Watched {
  readonly looks: readonly Task[];
  readonly seen: readonly Frame[];
}

/** What was watched → what is known of each; some readings are shared between them. */
export function gatherEvidence(roots: HostRoots, watched: readonly Watched[]): Evidence[] {
  const owners = new Map<string, BpfOwner[]>();
  const ownersOf = (symbol: string): BpfOwner[] => {
    const known = owners.get(symbol) ?? findBpfOwners(roots, symbol);
    owners.set(symbol, known);
    return known;
  };
  const tickless = parseCpus(readProc(`${roots.sys}/devices/system/cpu/nohz_full`) ?? '');
  return watched.map(({ looks, seen }): Evidence => {
    const task = looks.at(-1)!;
    const { pid, tid } = task;
    const folder = `${roots.proc}/${pid}/task/${tid}`;
    const now = readStack(roots, pid, tid);
    const frames = now.length === 0 && task.state === 'R' ? seen : now;
    const foreign = foreignCode(frames);
    const call = task.kernelThread ? undefined : sleepsIn(roots, pid, tid);
    const lastRan = /^se\.exec_start\s*:\s*([\d.]+)/m.exec(readProc(`${folder}/sched`) ?? '')?.[1];
    const tracer = task.kernelThread ? undefined : readTracer(roots, pid, tid);
    const frozen = mayBeFrozen(frames) ? frozenBy(roots, pid, tid) : undefined;
    const runs = task.state === 'R';
    return {
      task,
      looks,
      frames,
      ...(foreign === undefined ? {} : { foreign: { ...foreign, owners: ownersOf(foreign.frame.symbol) } }),
      ...(call === undefined ? {} : { call }),
      ...(lastRan === undefined ? {} : { lastRan: Math.round(Number(lastRan)) / 1000 }),
      ...(tracer === undefined ? {} : { tracer }),
      ...(frozen === undefined ? {} : { frozenBy: frozen }),
      children: task.state === 'D' ? childrenOf(roots, folder) : [],
      hypervisor: (runs || frames.some(({ module }) => module === 'kvm')) && runsMachines(roots, pid),
      withoutTick: runs && task.cpu !== undefined && tickless.has(task.cpu),
    };
  });
}

/** `0-3,7` → the CPUs. */
export function parseCpus(text: string): Set<number> {
  const cpus = new Set<number>();
  for (const [, from, to] of text.matchAll(/(\d+)(?:-(\d+))?/g)) {
    for (let cpu = Number(from); cpu <= Number(to ?? from); cpu++) cpus.add(cpu);
  }
  return cpus;
}

/** A frozen task waits in do_freezer_trap(), which compilers inline into get_signal(). */
function mayBeFrozen(frames: readonly Frame[]): boolean {
  return frames.slice(0, 2).some(({ symbol }) => symbol === 'get_signal' || symbol.startsWith('do_freezer_trap'));
}

/** Who traces a task, if anybody does. */
export function readTracer(roots: HostRoots, pid: number, tid: number): Named | undefined {
  const status = readProc(`${roots.proc}/${pid}/task/${tid}/status`) ?? '';
  const tracer = Number(/^TracerPid:\s*(\d+)/m.exec(status)?.[1] ?? 0);
  return tracer === 0 ? undefined : named(roots, tracer);
}

function childrenOf(roots: HostRoots, folder: string): Named[] {
  const pids = (readProc(`${folder}/children`) ?? '').trim().split(' ').filter(Boolean).map(Number);
  return pids.flatMap((pid) => named(roots, pid) ?? []);
}

function named(roots: HostRoots, pid: number): Named | undefined {
  const task = readTask(roots, pid, pid);
  return task === undefined ? undefined : { pid, comm: task.comm, state: task.state };
}

/** Whether a process has virtual CPUs open. */
function runsMachines(roots: HostRoots, pid: number): boolean {
  try {
    const folder = `${roots.proc}/${pid}/fd`;
    return readdirSync(folder).some((name) => readlinkSync(`${folder}/${name}`).startsWith('anon_inode:kvm-vcpu:'));
  } catch {
    return false;
  }
}
