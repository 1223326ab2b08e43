/** The special tables as wholes: whole entries, each pointer relocated early enough, and ftrace's list complete. */
import { SHF } from '@livegraft/binfmt/elf/constants';
import { layoutOf, tableNames, tableShape } from './layouts.ts';
import type { LoadInput, Refusal } from './loadable.ts';
import type { LivepatchModule } from './module.ts';

export function checkTables(input: LoadInput): Refusal[] {
  return [...checkShapes(input), ...checkOrc(input), ...checkMcount(input.module), ...checkLateCode(input)];
}

function checkShapes({ module, btf }: LoadInput): Refusal[] {
  const found: Refusal[] = [];
  for (const name of tableNames) {
    const section = module.section(name);
    if (section === undefined || section.size === 0) continue;
    const { stride, fields } = tableShape(btf, name);
    const say = (offset: number, what: string): number => found.push({ at: `${name}+0x${offset.toString(16)}`, what });
    if (section.size % stride !== 0) say(0, `${section.size} bytes, not a multiple of ${stride}`);
    for (const field of module.fields(section)) {
      if (field.applyWith !== undefined && field.applyWith !== 'vmlinux')
        say(field.offset, `filled in when ${field.applyWith} is loaded; the kernel reads this table before`);
    }
    for (let start = 0; start + stride <= section.size; start += stride) {
      for (const at of fields)
        if (module.fieldAt(section, start + at) === undefined) say(start + at, 'a pointer without a relocation');
      const first = module.fieldAt(section, start + fields[0]!);
      const referent = first && module.referent(first);
      if (referent !== undefined && (referent.kind !== 'inside' || (referent.section.flags & SHF.EXECINSTR) === 0))
        say(start, `an entry about ${module.describeReferent(referent)}, not about code of the module`);
    }
  }
  return found;
}

/** unwind_module_init(): two parallel tables, which the loader sorts together by address. */
function checkOrc({ module, btf }: LoadInput): Refusal[] {
  const ip = module.section('.orc_unwind_ip');
  const orc = module.section('.orc_unwind');
  if (ip === undefined && orc === undefined) return [];
  const stride = layoutOf(btf, 'orc_entry').size;
  const count = (ip?.size ?? 0) / 4;
  const found: Refusal[] = [];
  if (orc === undefined || orc.size !== count * stride)
    return [{ at: '.orc_unwind', what: `${orc?.size ?? 0} bytes for ${count} places; ${count * stride} expected` }];
  const seen = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const field = module.fieldAt(ip!, 4 * i);
    const referent = field && module.referent(field);
    if (referent?.kind !== 'inside') continue;
    const key = `${referent.section.index}:${referent.offset}`;
    const content = Buffer.from(orc.data.subarray(i * stride, (i + 1) * stride)).toString('hex');
    const other = seen.get(key);
    // behind a function without sp_reg: the end of one and the beginning of another may meet (orc_sort_cmp)
    if (other !== undefined && other !== content && !/^0+$/.test(content) && !/^0+$/.test(other))
      found.push({
        at: `.orc_unwind_ip+0x${(4 * i).toString(16)}`,
        what: `two entries for ${module.describe(referent.section, referent.offset)}`,
      });
    if (other === undefined || /^0+$/.test(other)) seen.set(key, content);
  }
  return found;
}

/** __mcount_loc is exactly the set of calls of __fentry__. */
function checkMcount(module: LivepatchModule): Refusal[] {
  const table = module.section('__mcount_loc');
  const listed = new Set<string>();
  const found: Refusal[] = [];
  for (const field of table === undefined ? [] : module.fields(table)) {
    const referent = module.referent(field);
    const key = referent.kind === 'inside' ? `${referent.section.index}:${referent.offset}` : '';
    if (listed.has(key))
      found.push({ at: `__mcount_loc+0x${field.offset.toString(16)}`, what: 'a place that is listed twice' });
    listed.add(key);
  }
  for (const section of module.elf.sections.filter((each) => (each.flags & SHF.EXECINSTR) !== 0)) {
    for (const { offset, symbol, type, addend } of module.fields(section)) {
      if (symbol.name !== '__fentry__') continue;
      if (type !== 4 || addend !== -4 || section.data[offset - 1] !== 0xe8)
        found.push({ at: module.describe(section, offset), what: 'it refers to __fentry__ without calling it' });
      if (!listed.delete(`${section.index}:${offset - 1}`))
        found.push({
          at: module.describe(section, offset - 1),
          what: 'a call of __fentry__ that __mcount_loc does not list',
        });
    }
  }
  for (const key of listed)
    found.push({ at: '__mcount_loc', what: `an entry (section:offset ${key}) where __fentry__ is not called` });
  return found;
}

/** What the kernel overwrites with an alternative, or copies from one, must be complete by then. */
function checkLateCode({ module, btf }: LoadInput): Refusal[] {
  const found: Refusal[] = [];
  const replacement = module.section('.altinstr_replacement');
  const late = (section: typeof replacement, start: number, end: number): void => {
    for (const field of section === undefined ? [] : module.fieldsIn(section, start, end)) {
      if (field.applyWith !== undefined && field.applyWith !== 'vmlinux')
        found.push({
          at: module.describe(section!, field.offset),
          what: `part of an alternative, but filled in with ${field.applyWith}`,
        });
    }
  };
  late(replacement, 0, replacement?.size ?? 0);
  const table = module.section('.altinstructions');
  if (table === undefined) return found;
  const layout = layoutOf(btf, 'alt_instr');
  for (let start = 0; start + layout.size <= table.size; start += layout.size) {
    const field = module.fieldAt(table, start + layout.at('instr_offset'));
    const referent = field && module.referent(field);
    if (referent?.kind === 'inside')
      late(referent.section, referent.offset, referent.offset + table.data[start + layout.at('instrlen')]!);
  }
  return found;
}
