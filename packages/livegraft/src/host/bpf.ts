/**
 * Whose BPF program a trampoline belongs to. A trampoline is named by its key (bpf_trampoline_compute_key): the BTF object above bit 32, the type
 * of the function that it is attached to below; links of programs show the same two in /proc/PID/fdinfo (kernel/bpf/syscall.c).
 */
import { readdirSync, readlinkSync } from 'node:fs';
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

export interface BpfOwner {
  readonly program: number;
  /** As kallsyms has it; absent when compiled programs are not shown there. */
  readonly name?: string;
  /** Processes that hold the link; none when it is pinned in a BPF file system only. */
  readonly processes: readonly { readonly pid: number; readonly comm: string }[];
  /** Whether its link says what it is attached to. Older kernels (6.1 among them) do not show that: then it is one of these. */
  readonly certain: boolean;
}

interface Target {
  readonly object: number;
  readonly type: number;
}

/** `bpf_trampoline_6442469985` → what it is attached to; undefined for another name. */
export function trampolineTarget(symbol: string): Target | undefined {
  const [, digits] = /^bpf_trampoline_(\d+)/.exec(symbol) ?? [];
  if (digits === undefined) return undefined;
  const key = BigInt(digits);
  return { object: Number(key >> 32n), type: Number(key & 0x7fff_ffffn) };
}

/** Looks through the open files of all processes: for rare use. */
export function findBpfOwners(roots: HostRoots, symbol: string): BpfOwner[] {
  const target = trampolineTarget(symbol);
  if (target === undefined) return [];
  const found = new Map<number, { tag: string; certain: boolean; pids: Set<number> }>();
  for (const pid of list(roots.proc).filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of list(`${roots.proc}/${pid}/fd`)) {
      if (!isLink(`${roots.proc}/${pid}/fd/${descriptor}`)) continue;
      const fields = parseFdinfo(readProc(`${roots.proc}/${pid}/fdinfo/${descriptor}`) ?? '');
      if (fields.get('link_type') !== 'tracing') continue;
      const certain = fields.has('target_btf_id');
      if (certain && !attachedTo(fields, target)) continue;
      const program = Number(fields.get('prog_id'));
      const entry = found.get(program) ?? { tag: fields.get('prog_tag') ?? '', certain, pids: new Set<number>() };
      entry.pids.add(Number(pid));
      found.set(program, entry);
    }
  }
  const kallsyms = found.size === 0 ? '' : (readProc(`${roots.proc}/kallsyms`) ?? '');
  return [...found].map(([program, { tag, certain, pids }]) => {
    const name = new RegExp(` bpf_prog_${tag}_(\\S+)`).exec(kallsyms)?.[1];
    const processes = [...pids].map((pid) => ({ pid, comm: (readProc(`${roots.proc}/${pid}/comm`) ?? '?').trim() }));
    return { program, ...(name === undefined ? {} : { name }), processes, certain };
  });
}

function attachedTo(fields: ReadonlyMap<string, string>, { object, type }: Target): boolean {
  return fields.get('target_obj_id') === String(object) && fields.get('target_btf_id') === String(type);
}

export function parseFdinfo(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [, key, value] = /^(\w+):\s*(.*)$/.exec(line) ?? [];
      return key === undefined ? [] : [[key, value ?? '']];
    }),
  );
}

function isLink(path: string): boolean {
  try {
    return /^anon_inode:\[?bpf[_-]link/.test(readlinkSync(path));
  } catch {
    return false;
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
