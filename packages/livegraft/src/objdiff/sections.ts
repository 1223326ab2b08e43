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
 * - `registry`: content acts by merely being in the module (exports, parameters, tracepoints), and what is not known
 * - `ignored`: notes, debug information, what the linker throws away
 */
/** SHT_X86_64_UNWIND */
const EH_FRAME = 0x70000001;

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
  '.orc_unwind',
  '.orc_unwind_ip',
]);
const fragments = new Set(['.altinstr_replacement', '.altinstr_aux', '.fixup', '.text..refcount']);
/** Ordinary variables and constants; the kernel names many sections of its own that way (`.data..read_mostly`, `.data..percpu`). */
const ordinary = /^\.(ref\.)?(data|rodata|bss)($|[._])/;
/** Descriptors of pr_debug(): the loader registers a module's own (kernel/module/main.c). */
const descriptors = new Set(['__dyndbg', '__verbose']);
/** For unwinders in user space, debuggers, indexes and livegraft itself (livegraft.h): nothing in the kernel acts on them. */
const unread = /^\.(eh_frame|sframe|orc_header|printk_index|discard|note|llvm|livegraft$)/;
/**
 * Which landing pads may be sealed is decided over all that is linked together (`klp/landing-pads.ts`), so a unit's own list says nothing;
 * the list of places with room for call thunks was for objtool.
 */
const settledAtLink = new Set(['.ibt_endbr_seal', '__patchable_function_entries']);
const once =
  /^\.(init|exit|meminit|memexit|head|cpuinit|devinit)\.|^\.(init|exit)\.(text|data|rodata)|^\.ref\.data\.init|^\.data\.\.init_percpu/;

const roles = new WeakMap<ElfSection, SectionRole>();

export function roleOf(section: ElfSection): SectionRole {
  const known = roles.get(section);
  if (known !== undefined) return known;
  const role = decide(section);
  roles.set(section, role);
  return role;
}

function decide({ name, flags, type }: ElfSection): SectionRole {
  if ((flags & SHF.ALLOC) === 0 || unread.test(name) || settledAtLink.has(name) || (flags & SHF.EXCLUDE) !== 0)
    return 'ignored';
  if (isTable(name)) return 'table';
  if (type !== SHT.PROGBITS && type !== SHT.NOBITS)
    return type === SHT.NOTE || type === EH_FRAME ? 'ignored' : 'registry';
  if (fragments.has(name)) return 'fragments';
  if (once.test(name)) return 'once';
  if ((flags & SHF.EXECINSTR) !== 0) return 'text';
  if (!ordinary.test(name) && !descriptors.has(name)) return 'registry';
  if ((flags & SHF.MERGE) !== 0) return (flags & SHF.STRINGS) !== 0 ? 'strings' : 'constants';
  return (flags & SHF.WRITE) !== 0 ? 'data' : 'rodata';
}

/** True for a table of numbers in code that the kernel fills in while it starts (arch/x86/include/asm/runtime-const.h). */
export function isRuntimeConstants(name: string): boolean {
  return /^runtime_[a-z]+_/.test(name);
}

/** True for a table whose entries are about code. */
export function isTable(name: string): boolean {
  return tables.has(name) || isRuntimeConstants(name);
}

/** True for a section of pr_debug() descriptors. */
export function holdsDescriptors(section: ElfSection): boolean {
  return descriptors.has(section.name);
}

/** True for where UBSAN's checks keep what they report: each check has its own, and nothing but the check knows it. */
export function isSanitizerData(section: ElfSection): boolean {
  return /^\.data\.+Lubsan_(data|type)\d+$/.test(section.name);
}

/** What a section is when the compiler's splitting by name is undone: `.data.count.3` and `.data.count` are `.data`. */
export function family(name: string): string {
  const literal = /^\.rodata\..*(str\d+\.\d+)$/.exec(name);
  if (literal !== null) return `.rodata.${literal[1]}`;
  const split = /^(\.text\.unlikely|\.text\.hot|\.text|\.data\.rel\.ro|\.data\.rel|\.data|\.rodata|\.bss)\.[^.]/.exec(
    name,
  );
  if (split === null || /^\.rodata\.(cst|str)\d/.test(name)) return name;
  return split[1]!;
}
