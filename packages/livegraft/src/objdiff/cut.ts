/** Where one atom of a section ends and the next begins: at its symbols, at the ends of its strings and constants. */
import { SHT, STB, STT } from '@livegraft/binfmt/elf/constants';
import type { ElfFile, ElfSection, ElfSymbol } from '@livegraft/binfmt/elf/types';
import { isPaddingName } from './names.ts';
import { ObjectError } from './object-error.ts';
import { within } from './relocations.ts';
import { roleOf } from './sections.ts';

export interface Cut {
  readonly kind: 'function' | 'data' | 'unnamed' | 'fragment';
  readonly start: number;
  readonly size: number;
  readonly name: string;
  readonly symbols: readonly ElfSymbol[];
  /** Bytes that only fill the space up to what follows; nobody compares them. */
  readonly padding?: true;
  /** Bytes right before `start` that belong to a function's entry (see `entryPaddings`). */
  readonly entryPadding?: number;
}

/**
 * The symbols that name code and data, by section number: functions and objects, and labels of assembly that other units see.
 * Throws ObjectError when one lies outside its section.
 */
export function namingSymbols(elf: ElfFile): ReadonlyMap<number, readonly ElfSymbol[]> {
  const found = new Map<number, ElfSymbol[]>();
  for (const symbol of elf.symbols) {
    const { type, binding, name } = symbol;
    const label = type === STT.NOTYPE && binding !== STB.LOCAL && name !== '';
    if (symbol.section === 0 || !(type === STT.FUNC || type === STT.OBJECT || label) || isPaddingName(name)) continue;
    const section = elf.sections[symbol.section]!;
    if (symbol.value > BigInt(section.size) || Number(symbol.value) + symbol.size > section.size) {
      const at = `0x${symbol.value.toString(16)}+0x${symbol.size.toString(16)}`;
      throw new ObjectError(
        section,
        `${name || 'a symbol'} at ${at} lies outside its 0x${section.size.toString(16)} bytes`,
      );
    }
    if (type === STT.FUNC && section.type === SHT.NOBITS)
      throw new ObjectError(section, `${name} is a function, but has no bytes`);
    const list = found.get(symbol.section) ?? [];
    list.push(symbol);
    found.set(symbol.section, list);
  }
  return found;
}

/**
 * Room before functions that the kernel writes to (call thunks, CFI), by section number and the function's offset: how many bytes. objtool
 * and the compiler name it after the function (`__pfx_f`, `__cfi_f`).
 */
export function entryPaddings(elf: ElfFile): ReadonlyMap<number, ReadonlyMap<number, number>> {
  const found = new Map<number, Map<number, number>>();
  for (const { name, section, value, size } of elf.symbols) {
    if (section === 0 || !isPaddingName(name) || size === 0) continue;
    const list = found.get(section) ?? new Map<number, number>();
    list.set(Number(value) + size, size);
    found.set(section, list);
  }
  return found;
}

const none: ReadonlyMap<number, number> = new Map();

/** The atoms of a section without gaps, by rising offset. */
export function cutSection(
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  paddings: ReadonlyMap<number, number> = none,
): readonly Cut[] {
  const starts = [...new Set(symbols.map((symbol) => Number(symbol.value)))].sort((a, b) => a - b);
  const nextStart = new Map(starts.map((start, i) => [start, starts[i + 1] ?? section.size]));
  // assembly may leave out .size: such code reaches to the next name
  const sizeOf = (symbol: ElfSymbol): number =>
    symbol.size === 0 && symbol.type !== STT.OBJECT
      ? nextStart.get(Number(symbol.value))! - Number(symbol.value)
      : symbol.size;
  const sorted = [...symbols].sort(
    (a, b) => Number(a.value - b.value) || sizeOf(b) - sizeOf(a) || rank(a) - rank(b) || a.index - b.index,
  );
  const cuts: (Cut & { symbols: ElfSymbol[] })[] = [];
  let end = 0;
  const gap = (upTo: number): void => {
    const border = Math.max(end, upTo - (paddings.get(upTo) ?? 0));
    const piece = { kind: 'unnamed' as const, start: end, size: border - end, name: '', symbols: [] };
    if (piece.size > 0) cuts.push({ ...piece, ...(isPadding(section, piece) ? { padding: true as const } : {}) });
    if (border < upTo) cuts.push({ ...piece, start: border, size: upTo - border, padding: true });
  };
  for (const symbol of sorted) {
    const start = Number(symbol.value);
    const size = sizeOf(symbol);
    const last = cuts.at(-1);
    if (last !== undefined && start === last.start && last.kind !== 'unnamed') {
      last.symbols.push(symbol);
      continue;
    }
    if (start < end) continue;
    const isCode = symbol.type === STT.FUNC || (symbol.type === STT.NOTYPE && roleOf(section) === 'text');
    const room = isCode ? (paddings.get(start) ?? 0) : 0;
    const entryPadding = room > 0 && room <= start - end ? { entryPadding: room } : {};
    if (start > end) gap(start);
    cuts.push({
      kind: isCode ? 'function' : 'data',
      start,
      size,
      name: symbol.name,
      symbols: [symbol],
      ...entryPadding,
    });
    end = start + size;
  }
  if (end < section.size) gap(section.size);
  return cuts;
}

/** Which of several names of one thing it is called by: a weak one may mean something else once linked. */
function rank(symbol: ElfSymbol): number {
  return symbol.binding === STB.GLOBAL ? 0 : symbol.binding === STB.LOCAL ? 1 : 2;
}

function isPadding(section: ElfSection, piece: { start: number; size: number }): boolean {
  if (piece.size >= 64 || within(section.relocations, piece.start, piece.start + piece.size).length > 0) return false;
  if (section.type === SHT.NOBITS) return true;
  const bytes = section.data.subarray(piece.start, piece.start + piece.size);
  return bytes.every((byte) => byte === 0) || (roleOf(section) === 'text' && piece.start > 0);
}

/** Where the strings of a section of literals begin, by rising offset; the first at 0, the last may be empty and at the section's end. */
export function stringStarts(section: ElfSection): readonly number[] {
  const width = Math.max(1, section.entsize);
  const { data } = section;
  const starts = [0];
  for (let at = 0; at < data.length; at += width) {
    let isEnd = true;
    for (let i = 0; i < width && isEnd; i++) isEnd = (data[at + i] ?? 0) === 0;
    if (isEnd && at + width <= data.length) starts.push(at + width);
  }
  return starts;
}

/** The constant that covers an offset of a section of equally long ones. */
export function constantAt(section: ElfSection, offset: number): { start: number; size: number } {
  const width = Math.max(1, section.entsize);
  const start = offset - (offset % width);
  return { start, size: Math.max(0, Math.min(width, section.size - start)) };
}
