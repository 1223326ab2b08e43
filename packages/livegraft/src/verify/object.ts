/** A compiled unit as the checker reads it: its symbols, its relocations, and the things (items) that they refer to. Shares nothing with objdiff. */
import { SHF, SHN, SHT, STB, STT } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfFile, ElfRelocation, ElfSection, ElfSymbol } from '@livegraft/binfmt/elf/types';

/** Something with an extent: a function, a variable, a literal, or what lies unnamed between two names. */
export interface Item {
  readonly kind: 'function' | 'variable' | 'string' | 'constant' | 'unnamed';
  readonly section: ElfSection;
  readonly start: number;
  readonly size: number;
  /** Bytes right before a function that the kernel may write to (call thunks, CFI). */
  readonly entryPadding: number;
  /** All symbols that begin here. */
  readonly symbols: readonly ElfSymbol[];
  /** The first of their names; empty for literals and unnamed things. */
  readonly name: string;
}

/** What a relocated field of a unit means. */
export type Meaning =
  | { readonly kind: 'undefined'; readonly name: string; readonly addend: number }
  /** `at`: S + A, counted from the item's first byte, as the field has it (a PC-relative one includes its bias). */
  | { readonly kind: 'item'; readonly item: Item; readonly at: number; readonly boundary: boolean }
  | { readonly kind: 'nowhere'; readonly what: string };

export const isPcRelative = (type: number): boolean =>
  type === 2 || type === 4 || type === 13 || type === 15 || type === 24;

/** Bytes that a relocation fills; 0 for a type that nothing here knows. */
export function widthOf(type: number): number {
  if (type === 1 || type === 24) return 8;
  if (type === 2 || type === 4 || type === 9 || type === 10 || type === 11) return 4;
  if (type === 12 || type === 13) return 2;
  return type === 14 || type === 15 ? 1 : 0;
}

/** Index of the first entry at or behind an offset. */
function lowerBound(list: readonly { readonly offset: number }[], offset: number): number {
  let low = 0;
  for (let high = list.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (list[middle]!.offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class UnitFile {
  readonly elf: ElfFile;
  readonly #bySection = new Map<number, ElfSymbol[]>();
  readonly #items = new Map<string, Item>();
  /** `SECTION:END` of the padding before a function → its bytes. */
  readonly #paddings = new Map<string, number>();
  readonly #byName = new Map<string, ElfSymbol[]>();
  #byStem: Map<string, string[]> | undefined;
  /** All symbols that begin something. */
  readonly symbols: readonly ElfSymbol[];

  constructor(bytes: Uint8Array) {
    this.elf = readElf(bytes);
    for (const symbol of this.elf.symbols) {
      if (symbol.section === SHN.UNDEF || symbol.name === '') continue;
      // padding before a function, named after it, is part of its entry
      if (/^__(pfx|cfi)_/.test(symbol.name)) {
        this.#paddings.set(`${symbol.section}:${Number(symbol.value) + symbol.size}`, symbol.size);
        continue;
      }
      const isLabel = symbol.type === STT.NOTYPE && symbol.binding !== STB.LOCAL;
      if (symbol.type !== STT.FUNC && symbol.type !== STT.OBJECT && !isLabel) continue;
      append(this.#bySection, symbol.section, symbol);
      append(this.#byName, symbol.name, symbol);
    }
    for (const list of this.#bySection.values()) list.sort((a, b) => Number(a.value - b.value) || b.size - a.size);
    this.symbols = [...this.#bySection.values()].flat();
  }

  /** The item that a name stands for; undefined when the unit does not define it. */
  named(name: string): Item | undefined {
    const symbol = this.#byName.get(name)?.[0];
    return symbol && this.item(this.elf.sections[symbol.section]!, Number(symbol.value));
  }

  /** Names of what the unit defines that differ from a name by the compiler's numbers at most. */
  siblings(name: string): readonly string[] {
    if (this.#byStem === undefined) {
      this.#byStem = new Map();
      for (const each of this.#byName.keys()) append(this.#byStem, plainName(each), each);
    }
    return this.#byStem.get(plainName(name)) ?? [];
  }

  symbolsOf(section: ElfSection): readonly ElfSymbol[] {
    return this.#bySection.get(section.index) ?? [];
  }

  /** The item that covers a byte of a section; a section's end belongs to what comes last. */
  item(section: ElfSection, offset: number): Item {
    const [start, size, symbols, kind] = this.#extent(section, Math.min(Math.max(offset, 0), section.size));
    const key = `${section.index}:${start}:${size}`;
    const known = this.#items.get(key);
    if (known !== undefined) return known;
    const entryPadding = this.#paddingBefore(section, start);
    if (kind === 'unnamed' && this.#paddingBefore(section, start + size) > 0) {
      const next = start + size;
      if (offset >= next - this.#paddingBefore(section, next)) return this.item(section, next);
    }
    const made: Item = { kind, section, start, size, entryPadding, symbols, name: symbols[0]?.name ?? '' };
    this.#items.set(key, made);
    return made;
  }

  #paddingBefore({ index }: ElfSection, end: number): number {
    return this.#paddings.get(`${index}:${end}`) ?? 0;
  }

  #extent(section: ElfSection, offset: number): [number, number, readonly ElfSymbol[], Item['kind']] {
    if ((section.flags & SHF.MERGE) !== 0) return literal(section, offset);
    const list = this.symbolsOf(section);
    let start = 0;
    let end = section.size;
    for (const symbol of list) {
      const from = Number(symbol.value);
      if (from > offset) {
        end = Math.min(end, from);
        break;
      }
      const to =
        symbol.size > 0
          ? from + symbol.size
          : Number(list.find((other) => other.value > symbol.value)?.value ?? section.size);
      const isLast = to === section.size && offset === to;
      if (offset < to || isLast || (symbol.size === 0 && offset === from)) {
        const isCode =
          symbol.type === STT.FUNC || ((section.flags & SHF.EXECINSTR) !== 0 && symbol.type !== STT.OBJECT);
        const same = list.filter((other) => other.value === symbol.value);
        return [from, to - from, same, isCode ? 'function' : 'variable'];
      }
      start = Math.max(start, to);
    }
    return [start, end - start, [], 'unnamed'];
  }

  /** The relocations of [start, end) of a section, by rising offset. */
  relocations(section: ElfSection, start: number, end: number): readonly ElfRelocation[] {
    const list = section.relocations;
    return list.slice(lowerBound(list, start), lowerBound(list, end));
  }

  bytes({ section, start, size }: Item): Uint8Array {
    return section.type === SHT.NOBITS ? new Uint8Array(size) : section.data.subarray(start, start + size);
  }

  /**
   * What a relocation means.
   * @param bias from the field to the end of its instruction, where it is PC-relative code; else 0
   */
  meaning(relocation: ElfRelocation, bias: number): Meaning {
    const symbol = this.elf.symbols[relocation.symbol]!;
    if (symbol.special !== undefined) return { kind: 'nowhere', what: symbol.name || 'an absolute value' };
    if (symbol.section === SHN.UNDEF) return { kind: 'undefined', name: symbol.name, addend: relocation.addend };
    const section = this.elf.sections[symbol.section]!;
    const sum = Number(symbol.value) + relocation.addend;
    if (symbol.type !== STT.SECTION) {
      const item = this.item(section, Number(symbol.value));
      return { kind: 'item', item, at: sum - item.start, boundary: false };
    }
    return this.place(section, sum, bias);
  }

  /** True for a relocation about a string or constant. */
  isLiteral({ symbol }: ElfRelocation): boolean {
    const section = this.elf.sections[this.elf.symbols[symbol]!.section]!;
    return (section.flags & SHF.MERGE) !== 0;
  }

  /** The same for a place of a section: `sum` as a field has it. */
  place(section: ElfSection, sum: number, bias: number): Meaning & { kind: 'item' } {
    const item = this.item(section, sum + bias);
    const isBorder =
      item.start === sum + bias && item.start > 0 && (item.kind === 'variable' || item.kind === 'unnamed');
    return { kind: 'item', item, at: sum - item.start, boundary: isBorder };
  }
}

function literal(section: ElfSection, offset: number): [number, number, readonly ElfSymbol[], Item['kind']] {
  const width = Math.max(1, section.entsize);
  const first = Math.min(offset, Math.max(0, section.size - 1));
  let start = first - (first % width);
  if ((section.flags & SHF.STRINGS) === 0) return [start, Math.min(width, section.size - start), [], 'constant'];
  const isEnd = (at: number): boolean => section.data.subarray(at, at + width).every((byte) => byte === 0);
  let end = start;
  while (start >= width && !isEnd(start - width)) start -= width;
  while (end < section.size && !isEnd(end)) end += width;
  return [start, Math.min(end + width, section.size) - start, [], 'string'];
}

export function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** A symbol name without the numbers that the compiler chose. */
export function plainName(name: string): string {
  if (name.startsWith('__UNIQUE_ID_')) return name.replace(/[\d.]+$/, '');
  return name.replace(/\.\d+/g, '');
}

export const isNumbered = (name: string): boolean => plainName(name) !== name;
