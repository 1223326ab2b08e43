/**
 * Cuts a relocatable object into atoms: the smallest pieces that are compared and carried along whole.
 * A function or variable is one atom, a literal string is one, and so is what lies unnamed between two names.
 */
import { SHF, SHT, STB, STT } from '@livegraft/binfmt/elf/constants';
import type { ElfFile, ElfRelocation, ElfSection, ElfSymbol } from '@livegraft/binfmt/elf/types';
import { requireConsistent } from './consistency.ts';
import { constantAt, cutSection, entryPaddings, namingSymbols, stringStarts } from './cut.ts';
import { cutFragments } from './fragments.ts';
import { type Field, type OutwardReference, outwardReferences, relocatedFields } from './instructions.ts';
import { isPcRelative, within } from './relocations.ts';
import { holdsDescriptors, roleOf, type SectionRole } from './sections.ts';

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
  /** Bytes that only fill the space up to what follows. */
  readonly padding?: true;
  /** Bytes right before a function that belong to its entry: the kernel may write call thunks there. */
  readonly entryPadding?: number;
}

/** What a relocation of an atom refers to. */
export type Target = AtomTarget | SymbolTarget;

export interface AtomTarget {
  readonly kind: 'atom';
  readonly atom: Atom;
  /** The byte of the atom that is meant. */
  readonly at: number;
  /** For the relocation, when S is the atom's first byte. */
  readonly addend: number;
  /**
   * The object only says how far into a section with several variables this leads, and the address is computed with or
   * kept: it may be meant for the end of the variable before, or count from the one behind.
   */
  readonly doubtful?: true;
}

/** Defined elsewhere. */
export interface SymbolTarget {
  readonly kind: 'symbol';
  readonly symbol: ElfSymbol;
  readonly addend: number;
}

export interface Reference {
  /** Byte offset in the atom. */
  readonly offset: number;
  /** See `R_X86_64`. */
  readonly type: number;
  readonly target: Target;
  /** True when the object has no relocation there because the assembler resolved it within the section. */
  readonly implied?: true;
}

export interface UnitObject {
  readonly elf: ElfFile;
  /** All but padding, and strings and constants, which come into being when something refers to them. */
  readonly atoms: readonly Atom[];
  bytes(atom: Atom): Uint8Array;
  /** By rising offset. */
  references(atom: Atom): readonly Reference[];
  /** What a relocation in any section means. */
  resolve(section: ElfSection, relocation: ElfRelocation): Target;
  /** The atom that covers a byte of a section. An offset at the section's end belongs to the last atom. */
  locate(section: ElfSection, offset: number): Atom;
  /** The atoms right before and behind one in its section. */
  neighbours(atom: Atom): { readonly before: Atom | undefined; readonly behind: Atom | undefined };
}

const empty = new Uint8Array(0);

/** Throws ObjectError when parts of the object contradict each other. */
export function cutObject(elf: ElfFile): UnitObject {
  return new CutObject(elf);
}

class CutObject implements UnitObject {
  readonly elf: ElfFile;
  readonly atoms: readonly Atom[];
  readonly #bySection = new Map<number, readonly Atom[]>();
  readonly #lazy = new Map<string, Atom>();
  readonly #strings = new Map<number, readonly number[]>();
  readonly #references = new Map<number, readonly Reference[]>();
  readonly #fields = new Map<number, ReadonlyMap<number, Field>>();
  readonly #outward = new Map<number, readonly OutwardReference[]>();
  #ids = 0;

  constructor(elf: ElfFile) {
    this.elf = elf;
    requireConsistent(elf);
    const atoms: Atom[] = [];
    const symbols = namingSymbols(elf);
    const paddings = entryPaddings(elf);
    for (const section of elf.sections) {
      const role = roleOf(section);
      if (role === 'ignored' || role === 'table' || isLiteral(role)) continue;
      const cuts =
        role === 'fragments'
          ? cutFragments(elf, section)
          : cutSection(section, symbols.get(section.index) ?? [], paddings.get(section.index));
      const list = cuts.map((cut): Atom => ({ id: this.#ids++, role, section, ...cut }));
      this.#bySection.set(section.index, list);
      for (const atom of list) if (atom.padding === undefined) atoms.push(atom);
    }
    this.atoms = atoms;
  }

  bytes(atom: Atom): Uint8Array {
    return atom.section.type === SHT.NOBITS ? empty : atom.section.data.subarray(atom.start, atom.start + atom.size);
  }

  locate(section: ElfSection, offset: number): Atom {
    const role = roleOf(section);
    if (isLiteral(role)) {
      const { start, size } = role === 'strings' ? this.#stringAt(section, offset) : constantAt(section, offset);
      return this.#lazily(section, role, role === 'strings' ? 'string' : 'constant', start, size);
    }
    const list = this.#bySection.get(section.index) ?? [];
    const index = lastStart(list, offset);
    const found = list[index];
    if (found === undefined) return this.#lazily(section, role, 'unnamed', 0, section.size);
    // room before a function is a part of its entry
    const next = found.padding === undefined ? undefined : list[index + 1];
    if (next?.entryPadding !== undefined && next.start - next.entryPadding === found.start) return next;
    // the address right behind a variable is its end, not the beginning of what fills the space
    if (found.padding !== undefined && offset === found.start && index > 0) return list[index - 1]!;
    return found;
  }

  /** The string that covers an offset of a section of literals. */
  #stringAt(section: ElfSection, offset: number): { start: number; size: number } {
    const starts = this.#strings.get(section.index) ?? stringStarts(section);
    this.#strings.set(section.index, starts);
    const index = upperBound(starts, offset) - 1;
    const start = starts[index]!;
    return { start, size: Math.min(starts[index + 1] ?? section.data.length, section.data.length) - start };
  }

  #lazily(section: ElfSection, role: SectionRole, kind: Atom['kind'], start: number, size: number): Atom {
    const key = `${section.index}:${start}`;
    const known = this.#lazy.get(key);
    if (known !== undefined) return known;
    const made: Atom = { id: this.#ids++, kind, role, section, start, size, name: '', symbols: [] };
    this.#lazy.set(key, made);
    return made;
  }

  neighbours(atom: Atom): { before: Atom | undefined; behind: Atom | undefined } {
    const list = this.#bySection.get(atom.section.index) ?? [];
    const index = list.indexOf(atom, Math.max(0, lastStart(list, atom.start) - 1));
    if (index < 0) return { before: undefined, behind: undefined };
    return { before: list[index - 1], behind: list[index + 1] };
  }

  resolve(section: ElfSection, relocation: ElfRelocation): Target {
    const symbol = this.elf.symbols[relocation.symbol]!;
    if (symbol.section === 0) return { kind: 'symbol', symbol, addend: relocation.addend };
    const home = this.elf.sections[symbol.section]!;
    const base = Number(symbol.value);
    const sum = base + relocation.addend;
    const isBare = symbol.type === STT.SECTION;
    const bias = this.#bias(section, relocation, home);
    let atom = this.locate(home, clamp(isBare ? sum + bias : base, home.size));
    let doubtful = false;
    if (
      isBare &&
      (atom.role === 'data' || atom.role === 'rodata') &&
      (this.#bySection.get(home.index)?.length ?? 0) > 1
    ) {
      const { before } = this.neighbours(atom);
      // the assembler names the section only for what is local: the start of a global variable is not meant then
      const otherwise =
        sum + bias === atom.start &&
        atom.symbols.length > 0 &&
        atom.symbols.every((each) => each.binding !== STB.LOCAL);
      if (otherwise && before !== undefined) atom = before;
      // no code counts from one descriptor of pr_debug() to the next, nor to the end of the last
      doubtful = !holdsDescriptors(home) && !this.#isAccess(section, relocation);
    }
    const addend = sum - atom.start;
    return { kind: 'atom', atom, at: addend + bias, addend, ...(doubtful ? { doubtful } : {}) };
  }

  /** How far a PC-relative field's meaning lies from its address: the rest of its instruction. */
  #bias(section: ElfSection, relocation: ElfRelocation, home: ElfSection): number {
    if (!isPcRelative(relocation.type) || (section.flags & SHF.EXECINSTR) === 0) return 0;
    if ((this.#bySection.get(home.index)?.length ?? 0) <= 1 && !isLiteral(roleOf(home))) return 4;
    const field = this.#fieldsOf(section).get(relocation.offset);
    return field === undefined ? 4 : field.end - relocation.offset;
  }

  #isAccess(section: ElfSection, relocation: ElfRelocation): boolean {
    if (roleOf(section) === 'table') return true;
    if ((section.flags & SHF.EXECINSTR) === 0) return false;
    return this.#fieldsOf(section).get(relocation.offset)?.access ?? false;
  }

  #fieldsOf(section: ElfSection): ReadonlyMap<number, Field> {
    const known = this.#fields.get(section.index);
    if (known !== undefined) return known;
    const made = relocatedFields(section, this.#bySection.get(section.index) ?? []);
    this.#fields.set(section.index, made);
    return made;
  }

  references(atom: Atom): readonly Reference[] {
    const known = this.#references.get(atom.id);
    if (known !== undefined) return known;
    const { section, start, size } = atom;
    const list: Reference[] = within(section.relocations, start, start + size).map((relocation) => ({
      offset: relocation.offset - start,
      type: relocation.type,
      target: this.resolve(section, relocation),
    }));
    const outward = within(this.#outwardOf(atom), start, start + size);
    for (const each of outward) {
      const target = this.locate(section, each.target);
      const at = each.target - target.start;
      list.push({
        offset: each.offset - start,
        type: each.type,
        target: { kind: 'atom', atom: target, at, addend: at - each.bias },
        implied: true,
      });
    }
    if (outward.length > 0) list.sort((a, b) => a.offset - b.offset);
    this.#references.set(atom.id, list);
    return list;
  }

  #outwardOf({ role, section }: Atom): readonly OutwardReference[] {
    const all = this.#bySection.get(section.index) ?? [];
    if (
      (section.flags & SHF.EXECINSTR) === 0 ||
      (role !== 'text' && role !== 'fragments' && role !== 'once') ||
      all.length < 2
    )
      return [];
    const known = this.#outward.get(section.index);
    if (known !== undefined) return known;
    const made = outwardReferences(section, all);
    this.#outward.set(section.index, made);
    return made;
  }
}

function isLiteral(role: SectionRole): boolean {
  return role === 'strings' || role === 'constants';
}

function clamp(offset: number, size: number): number {
  return Math.min(Math.max(offset, 0), size);
}

/** Index of the first of the rising numbers that is greater. */
function upperBound(rising: readonly number[], value: number): number {
  let low = 0;
  for (let high = rising.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (rising[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the last atom that begins at or before the offset; 0 when none does. */
function lastStart(list: readonly Atom[], offset: number): number {
  let found = 0;
  for (let low = 0, high = list.length - 1; low <= high; ) {
    const middle = (low + high) >> 1;
    if (list[middle]!.start <= offset) {
      found = middle;
      low = middle + 1;
    } else high = middle - 1;
  }
  return found;
}
