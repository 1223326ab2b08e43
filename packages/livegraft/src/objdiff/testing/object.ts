/** Relocatable objects from a few readable lines, for tests of what the compiler rarely makes. */
import { EM, ET, SHF, SHT, STB, STT } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfFile } from '@livegraft/binfmt/elf/types';
import { type SymbolSpec, writeElf } from '@livegraft/binfmt/elf/write';

export interface SectionLines {
  /** SHF flags by letter: w, x, m (merge), s (strings). Alloc always. */
  readonly flags?: string;
  readonly bytes?: readonly number[] | Uint8Array;
  /** Size of a section without bytes. */
  readonly size?: number;
  readonly align?: number;
  readonly entsize?: number;
  readonly symbols?: readonly SymbolLines[];
  /** [offset, type, symbol or section name, addend] */
  readonly relocations?: readonly (readonly [number, number, string, number])[];
}

export interface SymbolLines {
  readonly name: string;
  readonly at?: number;
  readonly size?: number;
  readonly kind?: 'func' | 'object' | 'notype';
  readonly bind?: 'local' | 'global' | 'weak';
}

export const PC32 = 2;
export const PLT32 = 4;
export const ABS64 = 1;
export const ABS32S = 11;

/** Symbols that no section defines become undefined ones. */
export function object(sections: Readonly<Record<string, SectionLines>>): ElfFile {
  return readElf(objectBytes(sections));
}

export function objectBytes(sections: Readonly<Record<string, SectionLines>>): Uint8Array {
  const names = Object.keys(sections);
  const locals: SymbolSpec[] = names.map((_, i) => ({
    name: '',
    value: 0,
    size: 0,
    binding: STB.LOCAL,
    type: STT.SECTION,
    section: i + 1,
  }));
  const globals: SymbolSpec[] = [];
  Object.values(sections).forEach((lines, i) => {
    for (const { name, at = 0, size, kind = 'func', bind = 'local' } of lines.symbols ?? []) {
      const whole = (lines.bytes?.length ?? lines.size ?? 0) - at;
      const type = { func: STT.FUNC, object: STT.OBJECT, notype: STT.NOTYPE }[kind];
      const binding = { local: STB.LOCAL, global: STB.GLOBAL, weak: STB.WEAK }[bind];
      (bind === 'local' ? locals : globals).push({
        name,
        value: at,
        size: size ?? whole,
        binding,
        type,
        section: i + 1,
      });
    }
  });
  const defined = new Set([...locals, ...globals].map((symbol) => symbol.name));
  for (const { relocations = [] } of Object.values(sections)) {
    for (const [, , name] of relocations) {
      if (defined.has(name) || names.includes(name)) continue;
      defined.add(name);
      globals.push({ name, value: 0, size: 0, binding: STB.GLOBAL, type: STT.NOTYPE, section: 0 });
    }
  }
  const symbols = [...locals, ...globals];
  const numberOf = new Map<string, number>();
  symbols.forEach((symbol, i) => {
    if (symbol.name !== '' && !numberOf.has(symbol.name)) numberOf.set(symbol.name, i + 1);
  });
  names.forEach((name, i) => {
    if (!numberOf.has(name)) numberOf.set(name, i + 1);
  });
  return writeElf({
    type: ET.REL,
    machine: EM.X86_64,
    sections: names.map((name) => {
      const { flags = '', bytes, size = 0, align = 1, entsize = 0 } = sections[name]!;
      const bits: Readonly<Record<string, number>> = { w: SHF.WRITE, x: SHF.EXECINSTR, m: SHF.MERGE, s: SHF.STRINGS };
      const all = [...flags].reduce<number>((sum, letter) => sum | (bits[letter] ?? 0), SHF.ALLOC);
      const common = { name, flags: all, addralign: align, entsize };
      return bytes === undefined
        ? { ...common, type: SHT.NOBITS, size }
        : { ...common, type: SHT.PROGBITS, data: Uint8Array.from(bytes) };
    }),
    symbols,
    relocations: names.flatMap((name, i) => {
      const { relocations = [] } = sections[name]!;
      const entries = relocations.map(([offset, type, symbol, addend]) => ({
        offset,
        type,
        symbol: numberOf.get(symbol)!,
        addend,
      }));
      return entries.length === 0 ? [] : [{ section: i + 1, entries }];
    }),
  });
}

/** `call`/`jmp`/… with a 32-bit field, then `ret`. */
export const callAndReturn: readonly number[] = [0xe8, 0, 0, 0, 0, 0xc3];

export function text(value: string): number[] {
  return [...Buffer.from(`${value}\0`)];
}

/** The little-endian bytes of a 32-bit value. */
export function u32(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}
