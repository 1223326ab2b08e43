/** The finished module as its loader sees it: sections, and what each relocated field will refer to once the module is in this kernel. */
import { SHF, SHN, SHT } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfFile, ElfSection, ElfSymbol } from '@livegraft/binfmt/elf/types';
import { type Place, plus, type ShippedKernel } from './kernel.ts';
import { widthOf } from './object.ts';

/** What a field refers to: S + A. */
export type Referent =
  | { readonly kind: 'inside'; readonly section: ElfSection; readonly offset: number }
  | { readonly kind: 'kernel'; readonly place: Place; readonly symbol: string; readonly addend: number }
  | { readonly kind: 'nothing'; readonly why: string };

export interface ModuleField {
  readonly offset: number;
  readonly type: number;
  readonly symbol: ElfSymbol;
  readonly addend: number;
  /** The OBJECT of `.klp.rela.OBJECT.SECTION`: when the core fills it in; undefined for the loader's own. */
  readonly applyWith?: string;
}

/** `.klp.sym.OBJECT.NAME,POSITION` by the rules of klp_resolve_symbols(): sscanf(".klp.sym.%55[^.].%511[^,],%lu"). */
export function parseKlpSymbol(name: string): { object: string; name: string; position: number } | undefined {
  const match = /^\.klp\.sym\.([^.]{1,55})\.([^,]{1,511}),(\d{1,9})$/.exec(name);
  return match === null ? undefined : { object: match[1]!, name: match[2]!, position: Number(match[3]) };
}

export class LivepatchModule {
  readonly elf: ElfFile;
  readonly #kernel: ShippedKernel;
  /** Of each section by rising offset; ordinary and livepatch relocations together. */
  readonly #fields = new Map<number, ModuleField[]>();
  readonly #referents = new Map<ElfSymbol, Referent>();

  constructor(bytes: Uint8Array, kernel: ShippedKernel) {
    this.elf = readElf(bytes);
    this.#kernel = kernel;
    for (const table of this.elf.sections) {
      if (table.type !== SHT.RELA) continue;
      const view = new DataView(table.data.buffer, table.data.byteOffset, table.data.length);
      const late = (table.flags & SHF.RELA_LIVEPATCH) !== 0 ? { applyWith: objectOfSection(table.name) ?? '' } : {};
      const list = this.#fields.get(table.info) ?? [];
      for (let at = 0; at < table.size; at += 24) {
        const offset = Number(view.getBigUint64(at, true));
        const symbol = this.elf.symbols[view.getUint32(at + 12, true)]!;
        list.push({
          offset,
          type: view.getUint32(at + 8, true),
          symbol,
          addend: Number(view.getBigInt64(at + 16, true)),
          ...late,
        });
      }
      this.#fields.set(table.info, list);
    }
    for (const list of this.#fields.values()) list.sort((a, b) => a.offset - b.offset);
  }

  section(name: string): ElfSection | undefined {
    return this.elf.sections.find((section) => section.name === name);
  }

  fields(section: ElfSection): readonly ModuleField[] {
    return this.#fields.get(section.index) ?? [];
  }

  fieldsIn(section: ElfSection, start: number, end: number): readonly ModuleField[] {
    const list = this.fields(section);
    let low = 0;
    for (let high = list.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (list[middle]!.offset < start) low = middle + 1;
      else high = middle;
    }
    let high = low;
    while (high < list.length && list[high]!.offset < end) high++;
    return list.slice(low, high);
  }

  /** What a symbol stands for once it is resolved. */
  symbol(symbol: ElfSymbol): Referent {
    const known = this.#referents.get(symbol);
    if (known !== undefined) return known;
    const made = this.#resolve(symbol);
    this.#referents.set(symbol, made);
    return made;
  }

  #resolve(symbol: ElfSymbol): Referent {
    if (symbol.special === SHN.LIVEPATCH) {
      const klp = parseKlpSymbol(symbol.name);
      if (klp === undefined) return { kind: 'nothing', why: `${symbol.name} is no name of a livepatch symbol` };
      const place = this.#kernel.find(klp.object, klp.name, klp.position);
      if (typeof place === 'string') return { kind: 'nothing', why: place };
      return { kind: 'kernel', place, symbol: symbol.name, addend: 0 };
    }
    if (symbol.special !== undefined) return { kind: 'nothing', why: `${symbol.name} is an absolute or common symbol` };
    if (symbol.section !== SHN.UNDEF)
      return { kind: 'inside', section: this.elf.sections[symbol.section]!, offset: Number(symbol.value) };
    const place = this.#kernel.exported(symbol.name);
    if (place === undefined) return { kind: 'nothing', why: `nothing exports ${symbol.name}` };
    return { kind: 'kernel', place, symbol: symbol.name, addend: 0 };
  }

  referent({ symbol, addend }: ModuleField): Referent {
    const target = this.symbol(symbol);
    if (target.kind === 'nothing') return target;
    if (target.kind === 'inside') return { ...target, offset: target.offset + addend };
    return { ...target, place: plus(target.place, addend), addend };
  }

  /** The field that begins at an offset. */
  fieldAt(section: ElfSection, offset: number): ModuleField | undefined {
    return this.fieldsIn(section, offset, offset + 1)[0];
  }

  /** For messages: `pipe_read+0x12`. */
  describe(section: ElfSection, offset: number): string {
    const symbol = this.elf.symbols.find(
      (each) =>
        each.section === section.index &&
        each.name !== '' &&
        Number(each.value) <= offset &&
        offset < Number(each.value) + Math.max(1, each.size),
    );
    const [name, start] = symbol === undefined ? [section.name, 0] : [symbol.name, Number(symbol.value)];
    return `${name}+0x${(offset - start).toString(16)} of the module`;
  }

  describeReferent(referent: Referent): string {
    if (referent.kind === 'nothing') return `nothing: ${referent.why}`;
    if (referent.kind === 'inside') return this.describe(referent.section, referent.offset);
    return `${this.#kernel.describe(referent.place)} (by ${referent.symbol})`;
  }

  /** The NUL-ended string at a place; undefined when there is none. */
  text(section: ElfSection, offset: number): string | undefined {
    const end = section.data.indexOf(0, offset);
    return offset < 0 || end < 0 ? undefined : Buffer.from(section.data.subarray(offset, end)).toString('latin1');
  }

  /** Bytes of a section with all relocated fields set to zero. */
  masked(section: ElfSection, start: number, size: number): Uint8Array {
    const copy =
      section.type === SHT.NOBITS ? new Uint8Array(size) : Uint8Array.from(section.data.subarray(start, start + size));
    for (const { offset, type } of this.fieldsIn(section, start, start + size))
      copy.fill(0, offset - start, offset - start + widthOf(type));
    return copy;
  }
}

/** `.klp.rela.OBJECT.SECTION` by the rules of klp_apply_section_relocs(): sscanf(".klp.rela.%55[^.]"). */
export function objectOfSection(name: string): string | undefined {
  return /^\.klp\.rela\.([^.]{1,55})\../.exec(name)?.[1];
}
