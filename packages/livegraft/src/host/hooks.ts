/** Who hooks kernel functions: ftrace's enabled_functions (kernel/trace/ftrace.c, t_show) and kprobes' list (kernel/kprobes.c, report_probe). */
import { join } from 'node:path';
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

export interface FtraceUser {
  readonly name: string;
  /** Left out for the kernel's own image. */
  readonly module?: string;
  readonly users: number;
  /** I: redirects the function (IPMODIFY); only one may. */
  readonly redirects: boolean;
  /** D: called directly, as BPF trampolines are. */
  readonly direct: boolean;
  /** What is called, as far as the kernel names it: klp_ftrace_handler, bpf_trampoline_6442535930, function_trace_call. */
  readonly callees: readonly string[];
}

export interface Kprobe {
  readonly name: string;
  readonly module?: string;
  readonly offset: number;
  /** `k`: a kprobe; `r`: a kretprobe. */
  readonly kind: 'k' | 'r';
}

export function parseEnabledFunctions(text: string): FtraceUser[] {
  const users: (FtraceUser & { callees: string[] })[] = [];
  for (const line of text.split('\n')) {
    const head = /^(\S+)(?: \[([^\]]+)\])? \((\d+)\)([^-]*?)(?=tramp:|ops:|->|$)/.exec(line);
    if (head !== null) {
      const [, name, module, count, flags] = head;
      const letters = /^[\sA-Z]*/.exec(flags!)![0];
      users.push({
        name: name!,
        ...(module === undefined ? {} : { module }),
        users: Number(count),
        redirects: letters.includes('I'),
        direct: letters.includes('D'),
        callees: [],
      });
    }
    // before 5.11 a handler is called by ftrace_ops_assist_func(), and only the brackets name it; the second line of an entry begins with a
    // tab: `direct-->bpf_trampoline_…+0x0/0x…`
    for (const [, handler, callee] of line.matchAll(/(?:\(([\w.]+)\+0x[^)]*\)\s*)?->\s*([\w.]+)\+0x/g)) {
      users.at(-1)?.callees.push(callee === 'ftrace_ops_assist_func' ? (handler ?? callee!) : callee!);
    }
  }
  return users;
}

export function parseKprobes(text: string): Kprobe[] {
  return text.split('\n').flatMap((line) => {
    const match = /^[0-9a-f]+\s+([kr])\s+(\S+)\+0x([0-9a-f]+)\s*(\w+)?/.exec(line);
    if (match === null) return [];
    const [, kind, name, offset, module] = match;
    return [
      {
        name: name!,
        ...(module === undefined ? {} : { module }),
        offset: Number.parseInt(offset!, 16),
        kind: kind as 'k' | 'r',
      },
    ];
  });
}

export interface Hooks {
  /** Undefined where tracefs is not there or may not be read (lockdown). */
  readonly ftrace?: readonly FtraceUser[];
  readonly kprobes?: readonly Kprobe[];
}

/** tracefs, at its own place and at its old one in debugfs. */
export function readHooks(roots: HostRoots): Hooks {
  const ftrace =
    readProc(join(roots.sys, 'kernel/tracing/enabled_functions')) ??
    readProc(join(roots.sys, 'kernel/debug/tracing/enabled_functions'));
  const kprobes = readProc(join(roots.sys, 'kernel/debug/kprobes/list'));
  return {
    ...(ftrace === undefined ? {} : { ftrace: parseEnabledFunctions(ftrace) }),
    ...(kprobes === undefined ? {} : { kprobes: parseKprobes(kprobes) }),
  };
}
