/** The special tables' entries of a unit and of the module, by the place in the code that each is about. */
import type { Btf } from '@livegraft/binfmt/btf';
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import { layoutOf, tableNames, tableShape } from './layouts.ts';
import type { LivepatchModule, ModuleField } from './module.ts';
import { type UnitFile, widthOf } from './object.ts';

export interface UnitEntry {
  readonly table: string;
  readonly section: ElfSection;
  /** Offset in the table. */
  readonly start: number;
  readonly stride: number;
  /** Offset in the section of the code. */
  readonly at: number;
  /** Relocated fields set to zero. */
  readonly bytes: Uint8Array;
  /** The parallel entry of .orc_unwind. */
  readonly orc?: Uint8Array;
}

export interface ModuleEntry {
  readonly section: ElfSection;
  readonly start: number;
  readonly bytes: Uint8Array;
  readonly fields: readonly ModuleField[];
  readonly orc?: Uint8Array;
}

/** What is compared one for one. Which landing pads are sealed is decided over all that is linked together: `landing-pads.ts` judges the module's list. */
const compared = tableNames.filter((name) => name !== '.ibt_endbr_seal');

/** By the number of the code's section: its entries in the order of the tables. */
export type UnitEntries = ReadonlyMap<number, readonly UnitEntry[]>;

export function unitEntries(file: UnitFile, btf: Btf): UnitEntries {
  const found = new Map<number, UnitEntry[]>();
  const orcTable = file.elf.sections.find((section) => section.name === '.orc_unwind');
  for (const section of file.elf.sections) {
    if (!compared.includes(section.name) || section.size === 0) continue;
    const { stride, fields } = tableShape(btf, section.name);
    const orcStride = section.name === '.orc_unwind_ip' ? layoutOf(btf, 'orc_entry').size : 0;
    // struct paravirt_patch_site: the last one may lack what only aligns the next
    for (let start = 0; start < section.size; start += stride) {
      const inside = file.relocations(section, start, start + stride);
      const first = inside.find(({ offset }) => offset === start + fields[0]!);
      const symbol = first && file.elf.symbols[first.symbol]!;
      if (first === undefined || symbol === undefined || symbol.section === 0) continue;
      const at = Number(symbol.value) + first.addend;
      const bytes = new Uint8Array(stride);
      bytes.set(section.data.subarray(start, start + stride));
      for (const { offset, type } of inside) bytes.fill(0, offset - start, offset - start + widthOf(type));
      const index = start / stride;
      const orc =
        orcStride > 0 && orcTable !== undefined
          ? { orc: orcTable.data.subarray(index * orcStride, (index + 1) * orcStride) }
          : {};
      const list = found.get(symbol.section) ?? [];
      list.push({ table: section.name, section, start, stride, at, bytes, ...orc });
      found.set(symbol.section, list);
    }
  }
  return found;
}

/** The module's entries; each is taken once. */
export class ModuleEntries {
  readonly #open = new Map<string, ModuleEntry[]>();

  constructor(module: LivepatchModule, btf: Btf) {
    const orcTable = module.section('.orc_unwind');
    for (const table of compared) {
      const section = module.section(table);
      if (section === undefined) continue;
      const { stride, fields } = tableShape(btf, table);
      const orcStride = table === '.orc_unwind_ip' ? layoutOf(btf, 'orc_entry').size : 0;
      for (let start = 0; start + stride <= section.size; start += stride) {
        const inside = module.fieldsIn(section, start, start + stride);
        const first = inside.find(({ offset }) => offset === start + fields[0]!);
        const referent = first && module.referent(first);
        if (referent?.kind !== 'inside') continue;
        const index = start / stride;
        const orc =
          orcStride > 0 && orcTable !== undefined
            ? { orc: orcTable.data.subarray(index * orcStride, (index + 1) * orcStride) }
            : {};
        const key = `${table} ${referent.section.index} ${referent.offset}`;
        const list = this.#open.get(key) ?? [];
        list.push({ section, start, bytes: module.masked(section, start, stride), fields: inside, ...orc });
        this.#open.set(key, list);
      }
    }
  }

  /**
   * Takes the module's entry of a table about a place. Alternatives of one place must keep their order, since a later one may overwrite an
   * earlier one; of other tables the equal one is taken first.
   */
  take({ table, bytes, orc }: UnitEntry, section: ElfSection, offset: number): ModuleEntry | undefined {
    const list = this.#open.get(`${table} ${section.index} ${offset}`) ?? [];
    const equal = (entry: ModuleEntry): boolean =>
      Buffer.compare(entry.bytes, bytes) === 0 &&
      (orc === undefined || (entry.orc !== undefined && Buffer.compare(entry.orc, orc) === 0));
    const index = table === '.altinstructions' ? 0 : Math.max(0, list.findIndex(equal));
    return list.splice(index, 1)[0];
  }

  /** What nobody took about [start, end) of a section of code. */
  left(section: ElfSection, start: number, end: number): { table: string; offset: number }[] {
    return [...this.#open].flatMap(([key, list]) => {
      const [table, index, offset] = key.split(' ');
      const at = Number(offset);
      if (list.length === 0 || Number(index) !== section.index || at < start || at >= end) return [];
      return list.map(() => ({ table: table!, offset: at }));
    });
  }
}
