/** Writes ELF64 little-endian files section by section. Layout: System V gABI, chapters 4 and 5. What `readElf` reads back is what was given. */
import { FormatError } from '../format-error.ts';
import { SHF, SHN, SHT, STB } from './constants.ts';

export interface SectionSpec {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly addralign: number;
  readonly entsize?: number;
  readonly address?: bigint;
  /** The bytes; leave out for SHT_NOBITS and give `size`. */
  readonly data?: Uint8Array;
  readonly size?: number;
}

export interface SymbolSpec {
  readonly name: string;
  readonly value: number | bigint;
  readonly size: number;
  readonly binding: number;
  readonly type: number;
  readonly other?: number;
  /** Number of the section, the first of `sections` being 1; 0 for an undefined symbol. */
  readonly section: number;
  /** A reserved section index (SHN_ABS, SHN_LIVEPATCH) instead of `section`. */
  readonly special?: number;
}

export interface RelocationsSpec {
  /** `.rela` + the section's name unless given. */
  readonly name?: string;
  /** SHF_INFO_LINK unless given. */
  readonly flags?: number;
  /** The section they apply to, the first of `sections` being 1. */
  readonly section: number;
  /** `symbol` counts from 1, as `symbols` is given; 0 for none. */
  readonly entries: readonly {
    readonly offset: number;
    readonly type: number;
    readonly symbol: number;
    readonly addend: number;
  }[];
}

export interface ElfSpec {
  readonly type: number;
  readonly machine: number;
  readonly flags?: number;
  readonly sections: readonly SectionSpec[];
  /** Local ones first. */
  readonly symbols?: readonly SymbolSpec[];
  readonly relocations?: readonly RelocationsSpec[];
}

/** Builds the file: the given sections, then their relocations, then .symtab, .strtab and .shstrtab. Throws FormatError when the parts contradict each other. */
export function writeElf(spec: ElfSpec): Uint8Array {
  const symbols = spec.symbols ?? [];
  const firstGlobal = symbols.findIndex((symbol) => symbol.binding !== STB.LOCAL);
  if (firstGlobal >= 0 && symbols.slice(firstGlobal).some((symbol) => symbol.binding === STB.LOCAL)) {
    throw new FormatError('elf-symbol-order', 'A local symbol stands behind a global one');
  }
  const count = spec.sections.length;
  const relocations = spec.relocations ?? [];
  const symtab = count + relocations.length + 1;
  const strings = new StringTable();
  const wide = extendedNumbers(symbols);
  const sections: (SectionSpec & { link?: number; info?: number })[] = [
    ...spec.sections,
    ...relocations.map((each) => relocationSection(each, spec, symtab)),
    {
      name: '.symtab',
      type: SHT.SYMTAB,
      flags: 0,
      addralign: 8,
      entsize: 24,
      data: symbolTable(symbols, strings, count),
      link: symtab + 1,
      info: firstGlobal < 0 ? symbols.length + 1 : firstGlobal + 1,
    },
    { name: '.strtab', type: SHT.STRTAB, flags: 0, addralign: 1, data: strings.bytes() },
    ...(wide === undefined
      ? []
      : [
          {
            name: '.symtab_shndx',
            type: SHT.SYMTAB_SHNDX,
            flags: 0,
            addralign: 4,
            entsize: 4,
            data: wide,
            link: symtab,
          },
        ]),
  ];
  const names = new StringTable();
  const nameOffsets = sections.map((section) => names.add(section.name));
  const own = names.add('.shstrtab');
  sections.push({ name: '.shstrtab', type: SHT.STRTAB, flags: 0, addralign: 1, data: names.bytes() });
  nameOffsets.push(own);
  return assemble(spec, sections, nameOffsets);
}

function assemble(
  spec: ElfSpec,
  sections: readonly (SectionSpec & { link?: number; info?: number })[],
  nameOffsets: readonly number[],
): Uint8Array {
  let end = 64;
  const offsets = sections.map((section) => {
    const align = Math.max(1, section.addralign);
    const offset = Math.ceil(end / align) * align;
    end = offset + (section.type === SHT.NOBITS ? 0 : (section.data?.length ?? 0));
    return offset;
  });
  const table = Math.ceil(end / 8) * 8;
  const bytes = new Uint8Array(table + 64 * (sections.length + 1));
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  view.setUint16(16, spec.type, true);
  view.setUint16(18, spec.machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(table), true);
  view.setUint32(48, spec.flags ?? 0, true);
  view.setUint16(52, 64, true);
  view.setUint16(58, 64, true);
  // gABI: what does not fit e_shnum and e_shstrndx stands in the null section's sh_size and sh_link
  const many = sections.length + 1 >= SHN.LORESERVE;
  view.setUint16(60, many ? 0 : sections.length + 1, true);
  view.setUint16(62, many ? SHN.XINDEX : sections.length, true);
  if (many) {
    view.setBigUint64(table + 32, BigInt(sections.length + 1), true);
    view.setUint32(table + 40, sections.length, true);
  }
  sections.forEach((section, i) => {
    const offset = offsets[i]!;
    if (section.data !== undefined && section.type !== SHT.NOBITS) bytes.set(section.data, offset);
    const at = table + 64 * (i + 1);
    view.setUint32(at, nameOffsets[i]!, true);
    view.setUint32(at + 4, section.type, true);
    view.setBigUint64(at + 8, BigInt(section.flags >>> 0), true);
    view.setBigUint64(at + 16, section.address ?? 0n, true);
    view.setBigUint64(at + 24, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(section.data?.length ?? section.size ?? 0), true);
    view.setUint32(at + 40, section.link ?? 0, true);
    view.setUint32(at + 44, section.info ?? 0, true);
    view.setBigUint64(at + 48, BigInt(section.addralign), true);
    view.setBigUint64(at + 56, BigInt(section.entsize ?? 0), true);
  });
  return bytes;
}

function relocationSection(
  each: RelocationsSpec,
  spec: ElfSpec,
  symtab: number,
): SectionSpec & { link: number; info: number } {
  const target = spec.sections[each.section - 1];
  if (target === undefined)
    throw new FormatError(
      'elf-rela-section',
      `Relocations apply to section ${each.section} of ${spec.sections.length}`,
    );
  const data = new Uint8Array(each.entries.length * 24);
  const view = new DataView(data.buffer);
  each.entries.forEach(({ offset, type, symbol, addend }, i) => {
    if (symbol > (spec.symbols?.length ?? 0))
      throw new FormatError('elf-rela-symbol', `A relocation in ${target.name} has symbol ${symbol}`);
    view.setBigUint64(i * 24, BigInt(offset), true);
    view.setUint32(i * 24 + 8, type, true);
    view.setUint32(i * 24 + 12, symbol, true);
    view.setBigInt64(i * 24 + 16, BigInt(addend), true);
  });
  return {
    name: each.name ?? `.rela${target.name}`,
    type: SHT.RELA,
    flags: each.flags ?? SHF.INFO_LINK,
    addralign: 8,
    entsize: 24,
    data,
    link: symtab,
    info: each.section,
  };
}

function symbolTable(symbols: readonly SymbolSpec[], strings: StringTable, sections: number): Uint8Array {
  const data = new Uint8Array((symbols.length + 1) * 24);
  const view = new DataView(data.buffer);
  symbols.forEach((symbol, i) => {
    if (symbol.section > sections)
      throw new FormatError('elf-st-shndx', `Symbol ${symbol.name} is in section ${symbol.section} of ${sections}`);
    const at = (i + 1) * 24;
    view.setUint32(at, strings.add(symbol.name), true);
    view.setUint8(at + 4, (symbol.binding << 4) | symbol.type);
    view.setUint8(at + 5, symbol.other ?? 0);
    view.setUint16(at + 6, symbol.special ?? (symbol.section >= SHN.LORESERVE ? SHN.XINDEX : symbol.section), true);
    view.setBigUint64(at + 8, BigInt.asUintN(64, BigInt(symbol.value)), true);
    view.setBigUint64(at + 16, BigInt(symbol.size), true);
  });
  return data;
}

/** Section numbers that do not fit a symbol (SHT_SYMTAB_SHNDX); undefined when all do. */
function extendedNumbers(symbols: readonly SymbolSpec[]): Uint8Array | undefined {
  if (symbols.every((symbol) => symbol.section < SHN.LORESERVE)) return undefined;
  const data = new Uint8Array((symbols.length + 1) * 4);
  const view = new DataView(data.buffer);
  symbols.forEach((symbol, i) => {
    if (symbol.section >= SHN.LORESERVE) view.setUint32((i + 1) * 4, symbol.section, true);
  });
  return data;
}

class StringTable {
  readonly #parts: Uint8Array[] = [new Uint8Array(1)];
  readonly #known = new Map<string, number>([['', 0]]);
  #size = 1;

  /** Offset of the string, added when it is new. */
  add(text: string): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const encoded = new TextEncoder().encode(`${text}\0`);
    const offset = this.#size;
    this.#parts.push(encoded);
    this.#size += encoded.length;
    this.#known.set(text, offset);
    return offset;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}
