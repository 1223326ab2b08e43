/**
 * Cuts a relocatable object into atoms: the smallest pieces that are compared and carried along whole.
 * A function or variable is one atom, a literal string is one, and so is what lies unnamed between two names.
 */
import { SHN, SHT, STT } from '@livegraft/binfmt/elf/constants';
import type { ElfFile, ElfRelocation, ElfSection, ElfSymbol } from '@livegraft/binfmt/elf/types';
import { instructionEnds, type OutwardBranch, outwardBranches } from './instructions.ts';
import { isPaddingName } from './names.ts';
import { roleOf, type SectionRole } from './sections.ts';

export interface Atom {
  /** Counts up within the object. */
  readonly id: number;
  readonly kind: 'function' | 'data' | 'string' | 'constant' | 'unnamed' | 'fragment';
  readonly role: SectionRole;
  readonly section: ElfSection;
  /** Byte offset in the section. */
  readonly start: number;
  readonly size: number;
  /** The symbol it is called by; empty for unnamed pieces. */
  readonly name: string;
  /** Symbols that begin here: aliases too. */
  readonly symbols: readonly ElfSymbol[];
}

/** What a relocation of an atom refers to. */
export type Target =
  /** `at`: the byte of the atom that is meant. `addend`: for the relocation, when S is the atom's first byte. */
  | { readonly kind: 'atom'; readonly atom: Atom; readonly at: number; readonly addend: number }
  /** Defined elsewhere. */
  | { readonly kind: 'symbol'; readonly symbol: ElfSymbol; readonly addend: number };

export interface Reference {
  /** Byte offset in the atom. */
  readonly offset: number;
  /** See `R_X86_64`. */
  readonly type: number;
  readonly target: Target;
  /** True when the object has no relocation there because the assembler resolved a branch within the section. */
  readonly implied?: true;
}

export interface UnitObject {
  readonly elf: ElfFile;
  /** All but strings and constants, which come into being when something refers to them. */
  readonly atoms: readonly Atom[];
  bytes(atom: Atom): Uint8Array;
  /** By rising offset. */
  references(atom: Atom): readonly Reference[];
  /** What a relocation in any section means. */
  resolve(section: ElfSection, relocation: ElfRelocation): Target;
  /** The atom that covers a byte of a section. An offset at the section's end belongs to the last atom. */
  locate(section: ElfSection, offset: number): Atom;
}

const empty = new Uint8Array(0);

export function cutObject(elf: ElfFile): UnitObject {
  let ids = 0;
  const bySection = new Map<number, Atom[]>();
  const atoms: Atom[] = [];
  const lazy = new Map<string, Atom>();

  const symbolsOf = new Map<number, ElfSymbol[]>();
  for (const symbol of elf.symbols) {
    if (symbol.section === 0 || (symbol.type !== STT.FUNC && symbol.type !== STT.OBJECT) || isPaddingName(symbol.name)) continue;
    const list = symbolsOf.get(symbol.section) ?? [];
    list.push(symbol);
    symbolsOf.set(symbol.section, list);
  }
  for (const section of elf.sections) {
    const role = roleOf(section);
    if (role === 'ignored' || role === 'table' || role === 'strings' || role === 'constants') continue;
    const cut = role === 'fragments' ? cutFragments(elf, section) : cutSection(section, symbolsOf.get(section.index) ?? []);
    const list = cut.map((piece) => ({ id: ids++, role, section, ...piece }));
    bySection.set(section.index, list);
    atoms.push(...list);
  }

  const locate = (section: ElfSection, offset: number): Atom => {
    const role = roleOf(section);
    if (role === 'strings' || role === 'constants') {
      const { start, size } = role === 'strings' ? stringAt(section, offset) : constantAt(section, offset);
      const key = `${section.index}:${start}`;
      const known = lazy.get(key);
      if (known !== undefined) return known;
      const kind = role === 'strings' ? 'string' : 'constant';
      const made: Atom = { id: ids++, kind, role, section, start, size, name: '', symbols: [] };
      lazy.set(key, made);
      return made;
    }
    const list = bySection.get(section.index) ?? [];
    let found = list[0];
    for (let low = 0, high = list.length - 1; low <= high; ) {
      const middle = (low + high) >> 1;
      if (list[middle]!.start <= offset) {
        found = list[middle]!;
        low = middle + 1;
      } else high = middle - 1;
    }
    if (found !== undefined) return found;
    const key = `${section.index}:whole`;
    const made: Atom = lazy.get(key) ?? { id: ids++, kind: 'unnamed', role, section, start: 0, size: section.size, name: '', symbols: [] };
    lazy.set(key, made);
    return made;
  };

  const ends = new Map<number, ReadonlyMap<number, number>>();
  /** How far a PC-relative field's meaning lies from its address: the rest of its instruction. */
  const bias = (section: ElfSection, relocation: ElfRelocation): number => {
    if (!isPcRelative(relocation.type) || roleOf(section) === 'table') return 0;
    const targetSection = elf.sections[elf.symbols[relocation.symbol]!.section]!;
    if ((bySection.get(targetSection.index)?.length ?? 0) <= 1 && !['strings', 'constants'].includes(roleOf(targetSection))) return 4;
    const known = ends.get(section.index) ?? instructionEnds(section, bySection.get(section.index) ?? []);
    ends.set(section.index, known);
    const end = known.get(relocation.offset);
    return end === undefined ? 4 : end - relocation.offset;
  };

  const resolve = (section: ElfSection, relocation: ElfRelocation): Target => {
    const symbol = elf.symbols[relocation.symbol]!;
    if (symbol.section === 0) return { kind: 'symbol', symbol, addend: relocation.addend };
    const targetSection = elf.sections[symbol.section]!;
    const base = Number(symbol.value);
    const shift = symbol.type === STT.SECTION || symbol.type === STT.NOTYPE ? bias(section, relocation) : 0;
    const meant = symbol.type === STT.SECTION || symbol.type === STT.NOTYPE ? base + relocation.addend + shift : base;
    const atom = locate(targetSection, Math.min(Math.max(meant, 0), targetSection.size));
    const addend = base + relocation.addend - atom.start;
    return { kind: 'atom', atom, at: addend + (isPcRelative(relocation.type) ? bias(section, relocation) : 0), addend };
  };

  const cache = new Map<number, readonly Reference[]>();
  const branches = new Map<number, readonly OutwardBranch[]>();
  const references = (atom: Atom): readonly Reference[] => {
    const known = cache.get(atom.id);
    if (known !== undefined) return known;
    const { section, start, size } = atom;
    const list: Reference[] = [];
    for (const relocation of within(section.relocations, start, start + size)) {
      list.push({ offset: relocation.offset - start, type: relocation.type, target: resolve(section, relocation) });
    }
    const neighbours = bySection.get(section.index) ?? [];
    if (atom.role === 'text' && neighbours.length > 1) {
      const all = branches.get(section.index) ?? outwardBranches(section, neighbours);
      branches.set(section.index, all);
      for (const branch of all) {
        if (branch.field < start || branch.field >= start + size) continue;
        const target = locate(section, branch.target);
        const at = branch.target - target.start;
        list.push({
          offset: branch.field - start,
          type: branch.type,
          target: { kind: 'atom', atom: target, at, addend: at - branch.bias },
          implied: true,
        });
      }
      list.sort((a, b) => a.offset - b.offset);
    }
    cache.set(atom.id, list);
    return list;
  };

  return {
    elf,
    atoms,
    bytes: (atom) => (atom.section.type === SHT.NOBITS ? empty : atom.section.data.subarray(atom.start, atom.start + atom.size)),
    references,
    resolve,
    locate,
  };
}

/** R_X86_64_PC32, PLT32, PC16, PC8, PC64. */
export function isPcRelative(type: number): boolean {
  return type === 2 || type === 4 || type === 13 || type === 15 || type === 24;
}

/** Bytes that a relocation of this type fills in; 0 for types that are not supported. */
export function fieldSize(type: number): number {
  switch (type) {
    case 1:
    case 24:
      return 8;
    case 2:
    case 4:
    case 9:
    case 10:
    case 11:
      return 4;
    case 12:
    case 13:
      return 2;
    case 14:
    case 15:
      return 1;
    default:
      return 0;
  }
}

/** The relocations with start <= offset < end of a sorted list. */
export function within(list: readonly ElfRelocation[], start: number, end: number): readonly ElfRelocation[] {
  const first = lowerBound(list, start);
  return list.slice(first, lowerBound(list, end));
}

function lowerBound(list: readonly ElfRelocation[], offset: number): number {
  let low = 0;
  for (let high = list.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (list[middle]!.offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

type Piece = Pick<Atom, 'kind' | 'start' | 'size' | 'name' | 'symbols'>;

function cutSection(section: ElfSection, symbols: readonly ElfSymbol[]): Piece[] {
  const sorted = [...symbols].sort((a, b) => Number(a.value - b.value) || b.size - a.size || b.binding - a.binding || a.index - b.index);
  const pieces: Piece[] = [];
  let end = 0;
  for (const symbol of sorted) {
    const start = Number(symbol.value);
    const last = pieces.at(-1);
    if (last !== undefined && start === last.start && (start < end || last.size === 0) && symbol.size <= last.size) {
      (last.symbols as ElfSymbol[]).push(symbol);
      continue;
    }
    if (start < end) continue;
    if (start > end) pieces.push({ kind: 'unnamed', start: end, size: start - end, name: '', symbols: [] });
    const kind = symbol.type === STT.FUNC ? 'function' : 'data';
    pieces.push({ kind, start, size: symbol.size, name: symbol.name, symbols: [symbol] });
    end = start + symbol.size;
  }
  if (end < section.size) pieces.push({ kind: 'unnamed', start: end, size: section.size - end, name: '', symbols: [] });
  return pieces.filter((piece) => piece.kind !== 'unnamed' || !isPadding(section, piece));
}

/** Unnamed bytes that only align what follows. */
function isPadding(section: ElfSection, piece: Piece): boolean {
  if (piece.size >= 64 || within(section.relocations, piece.start, piece.start + piece.size).length > 0) return false;
  if (section.type === SHT.NOBITS) return true;
  const bytes = section.data.subarray(piece.start, piece.start + piece.size);
  return bytes.every((byte) => byte === 0) || (roleOf(section) === 'text' && piece.start > 0);
}

/** Out-of-line pieces have no names: each begins where something points. */
function cutFragments(elf: ElfFile, section: ElfSection): Piece[] {
  const starts = new Set([0]);
  for (const other of elf.sections) {
    if (roleOf(other) === 'ignored') continue;
    for (const relocation of other.relocations) {
      const symbol = elf.symbols[relocation.symbol];
      if (symbol?.section !== section.index) continue;
      const shift = isPcRelative(relocation.type) && roleOf(other) === 'text' ? 4 : 0;
      starts.add(Number(symbol.value) + relocation.addend + shift);
    }
  }
  const sorted = [...starts].filter((start) => start >= 0 && start < section.size).sort((a, b) => a - b);
  return sorted.map((start, i) => ({ kind: 'fragment', start, size: (sorted[i + 1] ?? section.size) - start, name: '', symbols: [] }));
}

function stringAt(section: ElfSection, offset: number): { start: number; size: number } {
  const width = Math.max(1, section.entsize);
  const { data } = section;
  const isEnd = (at: number): boolean => {
    for (let i = 0; i < width; i++) if ((data[at + i] ?? 0) !== 0) return false;
    return true;
  };
  let start = offset - (offset % width);
  while (start >= width && !isEnd(start - width)) start -= width;
  let end = offset - (offset % width);
  while (end < data.length && !isEnd(end)) end += width;
  return { start, size: Math.min(end + width, data.length) - start };
}

function constantAt(section: ElfSection, offset: number): { start: number; size: number } {
  const width = Math.max(1, section.entsize);
  const start = offset - (offset % width);
  return { start, size: Math.min(width, section.size - start) };
}

/** A symbol that the linker or loader takes from elsewhere. */
export function isUndefined(symbol: ElfSymbol): boolean {
  return symbol.section === SHN.UNDEF && symbol.special === undefined;
}
