/**
 * Kernel stacks as /proc/TID/stack shows them (fs/proc/base.c, proc_pid_stack): a frame a line, innermost first, `[<0>] SYMBOL+0xOFFSET/0xSIZE [MODULE]`,
 * without the scheduler's own functions. A task that runs on another CPU shows nothing.
 */
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

export interface Frame {
  /** As kallsyms names it; an address where no symbol is. */
  readonly symbol: string;
  readonly offset: number;
  /** To the next symbol. */
  readonly size: number;
  /** Left out for the kernel's own image. */
  readonly module?: string;
}

/** Empty when the task runs, is gone, or when its stack may not be read. */
export function readStack(roots: HostRoots, pid: number, tid: number): Frame[] {
  return parseStack(readProc(`${roots.proc}/${pid}/task/${tid}/stack`) ?? '');
}

export function parseStack(text: string): Frame[] {
  return text.split('\n').flatMap((line): Frame[] => {
    const [, symbol, offset, size, module] =
      /^\[<[\da-fx]+>\] (\S+?)(?:\+0x([\da-f]+)\/0x([\da-f]+))?(?: \[(\S+?)(?: [\da-f]+)?\])?$/.exec(line) ?? [];
    if (symbol === undefined) return [];
    return [
      {
        symbol,
        offset: Number.parseInt(offset ?? '0', 16),
        size: Number.parseInt(size ?? '0', 16),
        ...(module === undefined ? {} : { module }),
      },
    ];
  });
}

/** `pipe_read+0x3df`, `ext4_sync_file+0x1c [ext4]` */
export function showFrame({ symbol, offset, size, module }: Frame): string {
  return `${symbol}${size === 0 ? '' : `+0x${offset.toString(16)}`}${module === undefined ? '' : ` [${module}]`}`;
}

/** Code on a stack that the kernel's unwinder has no records for. */
export interface Foreign {
  readonly kind: 'bpf' | 'ftrace' | 'kretprobe' | 'unknown';
  readonly frame: Frame;
  /** The function that it was attached to, as far as the stack tells: the frame that it called. */
  readonly inner?: Frame;
}

/**
 * What makes a stack unreliable to the livepatch core (arch_stack_walk_reliable, arch/x86/kernel/stacktrace.c): a return address outside
 * of everything that has ORC records. Programs that BPF compiled and its trampolines have names, but no records.
 */
export function foreignCode(frames: readonly Frame[]): Foreign | undefined {
  for (const [index, frame] of frames.entries()) {
    const kind = kindOf(frame);
    const inner = frames[index - 1];
    if (kind !== undefined) return { kind, frame, ...(inner === undefined ? {} : { inner }) };
  }
  return undefined;
}

function kindOf({ symbol, size, module }: Frame): Foreign['kind'] | undefined {
  if (module === 'bpf' || /^bpf_(trampoline_\d+|prog_[\da-f]{16}|dispatcher_\w+_func)/.test(symbol)) return 'bpf';
  if (symbol.startsWith('ftrace_trampoline')) return 'ftrace';
  if (/(kretprobe|rethook)_trampoline/.test(symbol)) return 'kretprobe';
  return size === 0 && /^0x[\da-f]+$/.test(symbol) ? 'unknown' : undefined;
}
