/**
 * What the sections of a kernel object mean for a live patch. The names are the kernel's
 * (include/asm-generic/vmlinux.lds.h, include/linux/init.h, scripts/module.lds.S).
 */
import { SHF, SHT } from '@livegraft/binfmt/elf/constants';
import type { ElfSection } from '@livegraft/binfmt/elf/types';

/**
 * - `text`, `data`, `rodata`, `strings`, `constants`: cut into atoms, compared and carried along when referred to
 * - `table`: entries that belong to functions (`special.ts`)
 * - `fragments`: out-of-line code and replacements that tables and functions point into
 * - `once`: code and data that is gone after start-up (`__init`) or never runs again
 * - `registry`: content acts by merely being in the module (exports, parameters, tracepoints)
 * - `ignored`: notes, debug information, what the linker throws away
 */
export type SectionRole =
  | 'text'
  | 'data'
  | 'rodata'
  | 'strings'
  | 'constants'
  | 'table'
  | 'fragments'
  | 'once'
  | 'registry'
  | 'ignored';

const tables = new Set([
  '__bug_table',
  '__ex_table',
  '__jump_table',
  '__mcount_loc',
  '.altinstructions',
  '.parainstructions',
  '.smp_locks',
  '.static_call_sites',
  '.retpoline_sites',
  '.return_sites',
  '.call_sites',
  '.ibt_endbr_seal',
  '.orc_unwind',
  '.orc_unwind_ip',
]);
const fragments = new Set(['.altinstr_replacement', '.altinstr_aux', '.fixup']);
const registries =
  /^(___?ksymtab|___?kcrctab|__kflagstab|__param|__modver|__tracepoints|_ftrace_events|_ftrace_eval_map|__bpf_raw_tp_map|__trace_printk_fmt|__verbose|\.printk_index|\.modinfo|\.ctors|\.init_array|___srcu_struct_ptrs|_error_injection_whitelist|_kprobe_blacklist|\.con_initcall|\.initcall|__patchable_function_entries|\.gnu\.linkonce|__versions|\.kunit_|__bpf_kfunc|\.BTF_ids|__dyndbg_classes|__tracepoint_check|_ftrace_annotated_branch|_ftrace_branch)/;
const once = /^\.(init|exit|meminit|memexit|head|cpuinit|devinit)\.|^\.(init|exit)\.(text|data|rodata)|^\.ref\.data\.init|^\.data\.\.init_percpu/;

export function roleOf(section: ElfSection): SectionRole {
  const { name, flags, type } = section;
  if ((flags & SHF.ALLOC) === 0 || name.startsWith('.discard') || name.startsWith('.note') || (flags & SHF.EXCLUDE) !== 0) {
    return 'ignored';
  }
  if (type !== SHT.PROGBITS && type !== SHT.NOBITS) return type === SHT.NOTE ? 'ignored' : 'registry';
  if (tables.has(name)) return 'table';
  if (fragments.has(name)) return 'fragments';
  if (once.test(name)) return 'once';
  if (registries.test(name)) return 'registry';
  if ((flags & SHF.EXECINSTR) !== 0) return 'text';
  if ((flags & SHF.MERGE) !== 0) return (flags & SHF.STRINGS) !== 0 ? 'strings' : 'constants';
  return (flags & SHF.WRITE) !== 0 ? 'data' : 'rodata';
}
