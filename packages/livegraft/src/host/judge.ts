/** From evidence to a reason: what keeps a task on its side of a transition, said in words, and what can be done about it, safest first. */
import type { Blocker, BlockReason } from './blockers.ts';
import type { Evidence } from './evidence.ts';
import type { InPatch } from './patch-functions.ts';
import { type Frame, showFrame } from './stacks.ts';
import { restartsIn } from './syscalls.ts';
import { signalAfter, type TransitionTimes } from './transition-log.ts';

export interface Circumstances {
  readonly patch: string;
  readonly target: 0 | 1;
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
  const { task, frames } = evidence;
  const where = frames.find((frame) => circumstances.inPatch(frame) !== undefined);
  const { reason, text, advice } = verdictOf(evidence, where, circumstances);
  const since = reason === 'running' || reason === 'vcpu' ? circumstances.times?.began : evidence.lastRan;
  return {
    task,
    kind: task.kernelThread ? 'kernel-thread' : 'user',
    reason,
    text,
    ...(where === undefined ? {} : { where }),
    frames,
    ...(since === undefined ? {} : { since }),
    advice: [...advice, ...lastResort(circumstances)],
  };
}

/** A livepatch that is being taken back already can only be waited for. */
export function lastResort({ patch, target }: Pick<Circumstances, 'patch' | 'target'>): string[] {
  return target === 1 ? [`take it back: livegraft revert ${patch}`] : [];
}

/** The strongest obstacle first: what makes a task stay is told before the function that it stays in. */
function verdictOf(evidence: Evidence, where: Frame | undefined, circumstances: Circumstances): Verdict {
  const { task, frames, foreign, hypervisor } = evidence;
  const { state } = task;
  const at = where === undefined ? '' : ` in ${place(where)}`;
  if (state === 'Z' || state === 'X' || (task.exiting && state !== 'R')) return exiting(evidence, at);
  if (state === 't') return traced(evidence, at);
  if (state === 'T') return stopped(evidence, at);
  if (hypervisor && (state === 'R' || where === undefined)) return virtualCpu(evidence);
  if (state === 'R') return running(evidence);
  if (has(frames, 'do_freezer_trap', '__refrigerator', 'do_freezer')) {
    return {
      reason: 'frozen',
      text: `is frozen by its cgroup${at}`,
      advice: ['thaw it: write 0 to cgroup.freeze of its cgroup (docker unpause, systemctl thaw)'],
    };
  }
  if (state === 'D' && isVfork(frames)) return vfork(evidence, at);
  if (where !== undefined) return state === 'D' ? uninterruptible(at) : asleep(evidence, where, at, circumstances);
  if (foreign !== undefined) return unreliable(foreign);
  return {
    reason: 'next-look',
    text: 'sleeps outside of all functions of the patch, and moves when the kernel looks next, once a second',
    advice: ['wait a second'],
  };
}

function asleep(evidence: Evidence, where: Frame, at: string, circumstances: Circumstances): Verdict {
  const { task, call, frames } = evidence;
  if (task.kernelThread) {
    return {
      reason: 'in-function',
      text: `sleeps${at}`,
      advice: [
        `wait: the kernel wakes kernel threads that sleep interruptibly after about ${signalAfter} s, and again every ${signalAfter} s`,
      ],
    };
  }
  const unnoticed =
    call !== undefined &&
    restartsIn(
      call,
      frames.map(({ symbol }) => symbol),
    );
  const wake =
    call === undefined
      ? 'wake it: livegraft wake, with --task, for its system call may be one that returns EINTR'
      : unnoticed
        ? `wake it now: livegraft wake (${call.name} is restarted by the kernel: the program does not notice)`
        : `wake it: livegraft wake --task ${task.tid}, but ${call.name} may show it: ${call.because ?? 'it is not restarted'}`;
  const foreign = evidence.foreign === undefined ? [] : unreliable(evidence.foreign).advice;
  return {
    reason: 'in-function',
    text: `sleeps${at}${circumstances.inPatch(where) === 'perhaps' ? ', or in another function of that name and size' : ''}`,
    advice: [kernelSignal(circumstances), wake, ...foreign],
  };
}

function kernelSignal({ times, uptime }: Circumstances): string {
  if (times?.signalled !== undefined)
    return `wait: the kernel has signalled it ${Math.round(uptime - times.signalled)} s ago, and does so every ${signalAfter} s`;
  const remaining = times === undefined ? undefined : Math.round(times.began + signalAfter - uptime);
  return remaining === undefined || remaining <= 0
    ? `wait: the kernel signals it about ${signalAfter} s after the transition began`
    : `wait: the kernel signals it in about ${remaining} s`;
}

function running({ looks, task, withoutTick }: Evidence): Verdict {
  const grew = task.cpuTime - looks[0]!.cpuTime;
  const constant = looks.every(({ state }) => state === 'R');
  const cpu = task.cpu === undefined ? '' : ` on CPU ${task.cpu}`;
  const text =
    constant && looks.length > 1
      ? grew > 0
        ? `runs${cpu} all the time`
        : `wants to run${cpu} and gets no time there`
      : `was running${cpu}`;
  const advice = task.kernelThread
    ? [
        'wait: it moves when the kernel finds it off its CPU, which it looks for once a second',
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

function unreliable({ kind, frame, inner, owners }: NonNullable<Evidence['foreign']>): Verdict {
  const on = inner === undefined ? '' : ` around ${inner.symbol}()`;
  if (kind === 'bpf') {
    const who = owners.map(
      ({ program, name, processes }) =>
        `program ${program}${name === undefined ? '' : ` "${name}"`} of ${processes.map(({ pid, comm }) => `${comm} (${pid})`).join(', ') || 'nobody'}`,
    );
    const sure = owners.every(({ certain }) => certain) || owners.length === 1;
    const named = who.length === 0 ? '' : `: ${sure ? '' : 'one of '}${who.join('; ')}`;
    return {
      reason: 'unreliable-stack',
      text: `has a BPF trampoline on its stack${on} (${frame.symbol})${named}; the kernel does not trust such a stack`,
      advice: [
        'wait: it moves when it leaves that function, or returns to user space',
        who.length === 0
          ? 'detach the BPF program (bpftool link, or look below /sys/fs/bpf), load again afterwards'
          : `detach it for the time of the transition: stop ${owners.flatMap(({ processes }) => processes.map(({ pid, comm }) => `${comm} (${pid})`)).join(', ') || 'the owner of the link'}`,
      ],
    };
  }
  const what = { ftrace: 'an ftrace trampoline', kretprobe: 'a return probe', unknown: 'code without a name' }[kind];
  return {
    reason: 'unreliable-stack',
    text: `has ${what} on its stack${on} (${showFrame(frame)}); the kernel does not trust such a stack`,
    advice: [
      'wait: it moves when it leaves that function, or returns to user space',
      kind === 'unknown'
        ? 'find out whose code it is'
        : 'remove the probe (/sys/kernel/tracing/kprobe_events, perf, bpftrace)',
    ],
  };
}

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
