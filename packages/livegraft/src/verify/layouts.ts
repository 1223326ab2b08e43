/** Sizes and offsets of the structures that a livepatch module contains, from the kernel's own type information. */
import { BTF_KIND, type Btf } from '@livegraft/binfmt/btf';
import { FormatError } from '@livegraft/binfmt/format-error';

export interface Layout {
  /** Bytes. */
  readonly size: number;
  /** Byte offset of a member. Throws FormatError when there is none. */
  at(member: string): number;
}

const known = new WeakMap<Btf, Map<string, Layout>>();

/** Members of anonymous structures and unions count as the structure's own. Throws FormatError (`btf-struct`). */
export function layoutOf(btf: Btf, name: string): Layout {
  const layouts = known.get(btf) ?? new Map<string, Layout>();
  known.set(btf, layouts);
  const layout = layouts.get(name) ?? readLayout(btf, name);
  layouts.set(name, layout);
  return layout;
}

function readLayout(btf: Btf, name: string): Layout {
  const id = btf.named(BTF_KIND.STRUCT, name)[0];
  if (id === undefined) throw new FormatError('btf-struct', `The kernel's types have no struct ${name}`);
  const offsets = new Map<string, number>();
  const collect = (type: number, base: number): void => {
    for (const member of btf.members(type)) {
      const at = base + (member.bitOffset >> 3);
      if (member.name !== '') offsets.set(member.name, at);
      else collect(member.type, at);
    }
  };
  collect(id, 0);
  return {
    size: btf.type(id).size,
    at(member) {
      const offset = offsets.get(member);
      if (offset === undefined) throw new FormatError('btf-member', `struct ${name} has no member ${member}`);
      return offset;
    },
  };
}

/** How the entries of each special table are laid out in this kernel. */
export interface TableShape {
  /** Bytes of an entry. */
  readonly stride: number;
  /** Offsets in the entry where a relocated field must be. */
  readonly fields: readonly number[];
}

const structures: Readonly<Record<string, readonly [struct: string, ...pointers: string[]]>> = {
  __bug_table: ['bug_entry', 'bug_addr_disp', 'file_disp'],
  __ex_table: ['exception_table_entry', 'insn', 'fixup'],
  __jump_table: ['jump_entry', 'code', 'target', 'key'],
  '.altinstructions': ['alt_instr', 'instr_offset'],
  '.parainstructions': ['paravirt_patch_site', 'instr'],
  '.static_call_sites': ['static_call_site', 'addr', 'key'],
};

/** Tables of bare places: one relocated field an entry. */
const places: Readonly<Record<string, number>> = {
  '.smp_locks': 4,
  '.retpoline_sites': 4,
  '.return_sites': 4,
  '.call_sites': 4,
  '.ibt_endbr_seal': 4,
  '.orc_unwind_ip': 4,
  __mcount_loc: 8,
};

export const tableNames: readonly string[] = [...Object.keys(structures), ...Object.keys(places)];

export function tableShape(btf: Btf, table: string): TableShape {
  const stride = places[table];
  if (stride !== undefined) return { stride, fields: [0] };
  const [struct, ...pointers] = structures[table]!;
  const layout = layoutOf(btf, struct);
  return { stride: layout.size, fields: pointers.map((pointer) => layout.at(pointer)) };
}
