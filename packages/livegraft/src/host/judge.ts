/** From evidence to a reason: what keeps a task on its side of a transition, said in words, and what can be done about it, safest first. */
import type { Blocker, BlockReason } from './blockers.ts';
import type { Evidence } from './evidence.ts';
import type { InPatch } from './patch-functions.ts';
import { type Frame, showFrame } from './stacks.ts';
import { restartsIn } from './syscalls.ts';
import { signalAfter, type TransitionTimes } from './transition-log.ts';

export interface Circumstances extends Surroundings {
  readonly patch: string;
  readonly target: 0 | 1;
}

/** What matters whether or not there is a transition yet. */
export interface Surroundings {
  readonly inPatch: InPatch;
  readonly times: TransitionTimes | undefined;
  /** Seconds now. */
  readonly uptime: number;
}

interface Verdict {
  readonly reason: BlockReason;
  readonly text: string;
  readonly advice: readonly string[];
}

export function judge(evidence: Evidence, circumstances: Circumstances): Blocker {
  const found = foresee(evidence, circumstances);
  return { ...found, advice: [...found.advice, ...lastResort(circumstances)] };
}

/** The same where nothing is loaded yet that could be taken back. */
export function foresee(evidence: Evidence, surroundings: Surroundings): Blocker {
  const { task, frames } = evidence;
  const where = frames.find((frame) => surroundings.inPatch(frame) !== undefined);
  const { reason, text, advice } = verdictOf(evidence, where, surroundings);
  const since = reason === 'running' || reason === 'vcpu' ? surroundings.times?.began : evidence.lastRan;
  return {
    task,
    kind: task.kernelThread ? 'kernel-thread' : 'user',
    reason,
    text,
    ...(where === undefined ? {} : { where }),
    frames,
    ...(since === undefined ? {} : { since }),
    advice,
  };
}

/** A livepatch that is being taken back already can only be waited for. */
export function lastResort({ patch, target }: Pick<Circumstances, 'patch' | 'target'>): string[] {
  return target === 1 ? [`take it back: livegraft revert ${patch}`] : [];
}

/** The strongest obstacle first: what makes a task stay is told before the function that it stays in. */
function verdictOf(evidence: Evidence, where: Frame | undefined, surroundings: Surroundings): Verdict {
  const { task, frames, foreign, hypervisor } = evidence;
  const { state } = task;
  const at = where === undefined ? '' : ` in ${place(where)}`;
  if (state === 'Z' || state === 'X' || (task.exiting && state !== 'R')) return exiting(evidence, at);
  if (state === 't') return traced(evidence, at);
  if (state === 'T') return stopped(evidence, at);
  if (hypervisor && (state === 'R' || where === undefined)) return virtualCpu(evidence);
  if (state === 'R') return running(evidence, where, at);
  if (evidence.frozenBy !== undefined || has(frames, '__refrigerator')) return frozen(evidence, at);
  if (state === 'D' && isVfork(frames)) return vfork(evidence, at);
  if (where !== undefined) return state === 'D' ? uninterruptible(at) : asleep(evidence, where, at, surroundings);
  if (foreign !== undefined) return unreliable(evidence, foreign, surroundings);
  return {
    reason: 'next-look',
    text: 'sleeps outside of all functions of the patch, and moves when the kernel looks next, once a second',
    advice: ['wait a second'],
  };
}

function asleep(evidence: Evidence, where: Frame, at: string, surroundings: Surroundings): Verdict {
  const perhaps = surroundings.inPatch(where) === 'perhaps' ? ', or in another function of that name and size' : '';
  const below = evidence.foreign === undefined ? '' : `, below ${foreignWords(evidence.foreign)}`;
  return {
    reason: 'in-function',
    text: `sleeps${at}${perhaps}${below}`,
    advice: evidence.task.kernelThread
      ? [
          `wait: the kernel wakes kernel threads that sleep interruptibly after about ${signalAfter} s, and again every ${signalAfter} s`,
        ]
      : [kernelSignal(surroundings), wakeAdvice(evidence)],
  };
}

function wakeAdvice({ task, call, frames, tracer }: Evidence): string {
  if (tracer !== undefined) return `${tracer.comm} (${tracer.pid}) traces it: livegraft wake leaves it alone`;
  if (call === undefined)
    return 'wake it: livegraft wake, with --task, for its system call may be one that returns EINTR';
  const symbols = frames.map(({ symbol }) => symbol);
  return restartsIn(call, symbols)
    ? `wake it now: livegraft wake (${call.name} is restarted by the kernel: the program does not notice)`
    : `wake it: livegraft wake --task ${task.tid}, but ${call.name} may show it: ${call.because ?? 'it is not restarted'}`;
}

function kernelSignal({ times, uptime }: Surroundings): string {
  if (times?.signalled !== undefined)
    return `wait: the kernel has signalled it ${Math.round(uptime - times.signalled)} s ago, and does so every ${signalAfter} s`;
  const remaining = times === undefined ? undefined : Math.round(times.began + signalAfter - uptime);
  return remaining === undefined || remaining <= 0
    ? `wait: the kernel signals it about ${signalAfter} s after the transition began`
    : `wait: the kernel signals it in about ${remaining} s`;
}

function frozen({ frozenBy }: Evidence, at: string): Verdict {
  return {
    reason: 'frozen',
    text: `is frozen by ${frozenBy === undefined ? 'its cgroup' : `the cgroup ${frozenBy}`}${at}`,
    advice: [
      frozenBy === undefined
        ? 'thaw it: THAWED into freezer.state of its cgroup, or docker unpause'
        : `thaw it: echo 0 >${frozenBy}/cgroup.freeze (or docker unpause, systemctl thaw: whoever froze it meant something by it)`,
    ],
  };
}

function running({ looks, task, withoutTick }: Evidence, where: Frame | undefined, at: string): Verdict {
  const grew = task.cpuTime - looks[0]!.cpuTime;
  const constant = looks.every(({ state }) => state === 'R');
  const cpu = task.cpu === undefined ? '' : ` on CPU ${task.cpu}`;
  const text =
    constant && looks.length > 1
      ? grew > 0
        ? `runs${cpu} all the time${at}`
        : `wants to run${cpu} and gets no time there${at}`
      : `was running${cpu}${at}`;
  const advice = task.kernelThread
    ? [
        where === undefined
          ? 'wait: it moves when the kernel finds it off its CPU and in no function of the patch, which it looks for once a second'
          : `wait: it moves when it has left ${place(where)}; if it never does, it never moves`,
        'make it busy less: stop what gives it work',
      ]
    : ['wait: it moves when it returns to user space'];
  const tick = withoutTick
    ? [
        `CPU ${task.cpu} has no tick (nohz_full): any interrupt there helps; the kernel sends one with its signal after ${signalAfter} s`,
      ]
    : [];
  return { reason: 'running', text, advice: [...advice, ...tick] };
}

type ForeignCode = NonNullable<Evidence['foreign']>;

/** `a BPF trampoline around pipe_write() (bpf_trampoline_6442463234): program 1 "watch" of edr (137)` */
function foreignWords({ kind, frame, inner, owners }: ForeignCode): string {
  const on = inner === undefined ? '' : ` around ${inner.symbol}()`;
  const what = {
    bpf: 'a BPF trampoline',
    ftrace: 'an ftrace trampoline',
    kretprobe: 'a return probe',
    unknown: 'code without a name',
  }[kind];
  const who = owners.map(
    ({ program, name, processes }) =>
      `program ${program}${name === undefined ? '' : ` "${name}"`} of ${processes.map(({ pid, comm }) => `${comm} (${pid})`).join(', ') || 'nobody'}`,
  );
  const sure = owners.every(({ certain }) => certain) || owners.length === 1;
  const named = who.length === 0 ? '' : `: ${sure ? '' : 'one of '}${who.join('; ')}`;
  return `${what}${on} (${kind === 'bpf' ? frame.symbol : showFrame(frame)})${named}`;
}

/** Taking the foreign code away changes nothing for those below it: their stack stays as it is until they return. */
function unreliable(evidence: Evidence, foreign: ForeignCode, surroundings: Surroundings): Verdict {
  const { task } = evidence;
  const { kind, owners } = foreign;
  const holders = owners.flatMap(({ processes }) => processes.map(({ pid, comm }) => `${comm} (${pid})`)).join(', ');
  const remove = {
    bpf:
      holders === ''
        ? 'before the next try, detach the BPF program (bpftool link, or look below /sys/fs/bpf)'
        : `before the next try, detach it for the time of the transition: stop ${holders}`,
    ftrace: probe,
    kretprobe: probe,
    unknown: 'find out whose code it is',
  }[kind];
  return {
    reason: 'unreliable-stack',
    text: `sleeps below ${foreignWords(foreign)}; the kernel does not trust such a stack`,
    advice: [
      'wait: it moves when it leaves that function, or returns to user space',
      ...(task.kernelThread || task.state === 'D' ? [] : [kernelSignal(surroundings), wakeAdvice(evidence)]),
      remove,
    ],
  };
}

const probe = 'before the next try, remove the probe (/sys/kernel/tracing/kprobe_events, perf, bpftrace)';

function stopped({ task }: Evidence, at: string): Verdict {
  return {
    reason: 'stopped',
    text: `is stopped${at}`,
    advice: [
      `continue it: kill -CONT ${task.pid} (whoever stopped it meant something by it), or livegraft wake --task ${task.tid} --method continue`,
    ],
  };
}

function traced({ tracer }: Evidence, at: string): Verdict {
  const by = tracer === undefined ? '' : ` of ${tracer.comm} (${tracer.pid})`;
  return {
    reason: 'traced',
    text: `is held by a debugger${by}${at}`,
    advice: [`let the debugger${by} continue it, or end the debugger`],
  };
}

function vfork({ children }: Evidence, at: string): Verdict {
  const who = children.map(({ pid, comm, state }) => `${comm} (${pid}${state === 'T' ? ', stopped' : ''})`);
  const child =
    who.length === 0 ? 'its child' : who.length === 1 ? `its child ${who[0]}` : `one of its children ${who.join(', ')}`;
  return {
    reason: 'vfork',
    text: `waits${at === '' ? '' : at} until ${child} ends or runs a program (vfork)`,
    advice: [
      'wait for the child: no signal short of SIGKILL ends this sleep',
      `see what keeps the child: cat /proc/${children[0]?.pid ?? 'CHILD'}/stack`,
    ],
  };
}

function virtualCpu({ task }: Evidence): Verdict {
  return {
    reason: 'vcpu',
    text: `runs a virtual CPU${task.cpu === undefined ? '' : ` on CPU ${task.cpu}`}`,
    advice: ['wait: it moves when it leaves the guest for user space, at the latest by the kernel’s signal'],
  };
}

function exiting({ task }: Evidence, at: string): Verdict {
  return {
    reason: 'exiting',
    text: task.state === 'Z' ? `has ended${at}, and its parent ${task.parent} has not asked how` : `is ending${at}`,
    advice: [task.state === 'Z' ? `wait for process ${task.parent} to collect it` : 'wait for its end'],
  };
}

function uninterruptible(at: string): Verdict {
  return {
    reason: 'uninterruptible',
    text: `sleeps uninterruptibly${at}`,
    advice: ['wait: no signal ends this sleep, only what it waits for (a disk, a lock, a network file system)'],
  };
}

function place(frame: Frame): string {
  return `${frame.symbol}()${frame.module === undefined ? '' : ` [${frame.module}]`}`;
}

/** A parent in vfork sleeps in wait_for_vfork_done(), which compilers inline into kernel_clone(). */
function isVfork(frames: readonly Frame[]): boolean {
  return frames[0]?.symbol === 'kernel_clone' || has(frames.slice(0, 2), 'wait_for_vfork_done');
}

function has(frames: readonly Frame[], ...names: readonly string[]): boolean {
  return frames.some(({ symbol }) => names.includes(symbol));
}
