/** Who is in the way of a bundle's functions: other livepatches, kprobes, ftrace and BPF, and tasks that sleep in them now. */
import { join } from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/host.ts';
import { type FtraceUser, readHooks } from '../host/hooks.ts';
import { symbolSizes } from '../host/kallsyms.ts';
import type { Livepatch } from '../host/livepatch.ts';
import type { HostRoots } from '../host/roots.ts';
import { type Frame, readStack } from '../host/stacks.ts';
import { readTasks } from '../host/tasks.ts';

interface Target {
  readonly name: string;
  readonly object: string;
  /** As the kernel counts, from 1. */
  readonly position: number;
}

export async function functionsInTheWay(
  { manifest }: Bundle,
  livepatches: readonly Livepatch[],
  roots: HostRoots,
  onTop: boolean,
): Promise<Diagnostic[]> {
  const targets = manifest.functions.map(({ name, object, sympos }) => ({
    name,
    object,
    position: Math.max(1, sympos),
  }));
  const others = livepatches.filter(({ name }) => name !== manifest.name);
  return [
    ...(manifest.replace ? [] : targets.flatMap((target) => replacedBy(target, others, onTop))),
    ...hooked(targets, roots),
    ...(await occupied(targets, roots)),
  ];
}

/** Several livepatches on one function are allowed by the kernel: the newest runs, and the fix of the others is gone without a word. */
function replacedBy({ name, object, position }: Target, others: readonly Livepatch[], onTop: boolean): Diagnostic[] {
  const by = others
    .filter(({ objects }) =>
      objects.some(
        (each) =>
          each.name === object && each.functions.some((held) => held.name === name && held.position === position),
      ),
    )
    .map((each) => each.name);
  if (by.length === 0) return [];
  return [(onTop ? say.functionOnTop : say.functionTaken)({ name, object, by })];
}

/** The livepatch core's own ftrace handler (kernel/livepatch/patch.c). */
const ours = 'klp_ftrace_handler';

function hooked(targets: readonly Target[], roots: HostRoots): Diagnostic[] {
  const { ftrace, kprobes = [] } = readHooks(roots);
  const findings = targets.flatMap((target) => [
    ...(ftrace ?? []).filter((user) => isAt(user, target)).flatMap((user) => traced(target, user)),
    ...kprobes
      .filter((probe) => isAt(probe, target))
      .map(({ kind, offset }) => say.functionProbed({ name: target.name, object: target.object, kind, offset })),
  ]);
  if (ftrace === undefined)
    findings.push(say.tracingUnseen({ path: join(roots.sys, 'kernel/tracing/enabled_functions') }));
  return findings;
}

function traced({ name, object }: Target, user: FtraceUser): Diagnostic[] {
  const callees = user.callees.filter((callee) => callee !== ours);
  // `users` counts the livepatch core too; what it shares a function with may not be named
  const patched = user.redirects && (user.callees.includes(ours) || user.users > 1);
  const by = callees.length > 0 ? [...new Set(callees)].join(', ') : 'ftrace';
  if (user.redirects && !patched) return [say.functionHeld({ name, object, by })];
  if (user.direct || callees.some((callee) => callee.startsWith('bpf_')))
    return [say.functionTrampoline({ name, object, by })];
  // kprobes at the entry are told by their own list
  if (callees.every((callee) => callee.startsWith('kprobe_')) && (callees.length > 0 || user.users <= 1)) return [];
  return [say.functionTraced({ name, object, by })];
}

function isAt(hook: { readonly name: string; readonly module?: string }, { name, object }: Target): boolean {
  return hook.name === name && (hook.module ?? 'vmlinux') === object;
}

/** So many are named. */
const few = 4;

/** The kernel shows sizes with its frames: functions of one name are told apart by them. */
async function occupied(targets: readonly Target[], roots: HostRoots): Promise<Diagnostic[]> {
  const inside = new Map<Target, string[]>();
  const sizesOf = symbolSizes(roots);
  const isIn = ({ symbol, module, size }: Frame, target: Target): boolean => {
    if (!isAt({ name: symbol, ...(module === undefined ? {} : { module }) }, target)) return false;
    const sizes = sizesOf(symbol, module);
    return sizes.length < 2 || sizes[target.position - 1] === size;
  };
  for (const task of await readTasks(roots)) {
    // our own threads sleep now and then, too
    if (task.pid === process.pid) continue;
    for (const frame of readStack(roots, task.pid, task.tid)) {
      const target = targets.find((each) => isIn(frame, each));
      if (target === undefined) continue;
      const tasks = inside.get(target) ?? [];
      const label = `${task.comm} (${task.tid})`;
      inside.set(target, tasks.includes(label) ? tasks : [...tasks, label]);
    }
  }
  return [...inside].map(([{ name, object }, tasks]) =>
    say.functionOccupied({ name, object, tasks: tasks.slice(0, few), count: tasks.length }),
  );
}
