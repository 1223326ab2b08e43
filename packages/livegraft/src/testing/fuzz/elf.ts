/**
 * Damage to ELF64 files that knows their structure: one field of the header, of a section header, of a symbol, of a relocation.
 * Where the tables cannot be found (earlier damage), the bytes stay as they are.
 */
import { SHT } from '@livegraft/binfmt/elf/constants';
import { type Mutator, readNumber, writeNumber } from './bytes.ts';
import { edges, type Random } from './random.ts';

interface Field {
  readonly at: number;
  readonly size: 1 | 2 | 4 | 8;
}

interface Table {
  readonly type: number;
  readonly flags: number;
  /** Where its header is. */
  readonly header: number;
  readonly offset: number;
  readonly size: number;
}

const EHDR: readonly Field[] = [
  { at: 4, size: 1 },
  { at: 5, size: 1 },
  { at: 16, size: 2 },
  { at: 18, size: 2 },
  { at: 40, size: 8 },
  { at: 58, size: 2 },
  { at: 60, size: 2 },
  { at: 62, size: 2 },
];
/** name, type, flags, addr, offset, size, link, info, addralign, entsize */
const SHDR: readonly Field[] = [
  { at: 0, size: 4 },
  { at: 4, size: 4 },
  { at: 8, size: 8 },
  { at: 16, size: 8 },
  { at: 24, size: 8 },
  { at: 32, size: 8 },
  { at: 40, size: 4 },
  { at: 44, size: 4 },
  { at: 48, size: 8 },
  { at: 56, size: 8 },
];
/** name, info, other, shndx, value, size */
const SYM: readonly Field[] = [
  { at: 0, size: 4 },
  { at: 4, size: 1 },
  { at: 5, size: 1 },
  { at: 6, size: 2 },
  { at: 8, size: 8 },
  { at: 16, size: 8 },
];
/** offset, type, symbol, addend */
const RELA: readonly Field[] = [
  { at: 0, size: 8 },
  { at: 8, size: 4 },
  { at: 12, size: 4 },
  { at: 16, size: 8 },
];

function tablesOf(bytes: Uint8Array): Table[] {
  const start = Number(readNumber(bytes, 40, 8));
  const count = Number(readNumber(bytes, 60, 2));
  if (start + count * 64 > bytes.length) return [];
  return Array.from({ length: count }, (_, i) => {
    const header = start + i * 64;
    return {
      header,
      type: Number(readNumber(bytes, header + 4, 4)),
      flags: Number(readNumber(bytes, header + 8, 8)),
      offset: Number(readNumber(bytes, header + 24, 8)),
      size: Number(readNumber(bytes, header + 32, 8)),
    };
  }).filter(({ type, offset, size }) => type === SHT.NOBITS || offset + size <= bytes.length);
}

/** A value that is wrong by little, by much, or one that another field of that sort has. */
function newValue(old: bigint, random: Random, other: bigint): bigint {
  switch (random.below(8)) {
    case 0:
      return random.pick(edges);
    case 1:
      return -random.pick(edges);
    case 2:
      return BigInt(random.below(256));
    case 3:
      return old ^ (1n << BigInt(random.below(32)));
    case 4:
    case 5:
      return other;
    default:
      return old + BigInt(random.below(33) - 16);
  }
}

function changeField(
  bytes: Uint8Array,
  record: number,
  another: number,
  fields: readonly Field[],
  random: Random,
): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const { at, size } = random.pick(fields);
  const old = readNumber(bytes, record + at, size);
  writeNumber(copy, record + at, size, newValue(old, random, readNumber(bytes, another + at, size)));
  return copy;
}

/** Changes a field of one record of a table with records of that length. */
const inTables =
  (type: number, length: number, fields: readonly Field[]): Mutator =>
  (bytes, random) => {
    const tables = tablesOf(bytes).filter((table) => table.type === type && table.size >= length);
    if (tables.length === 0) return bytes;
    const { offset, size } = random.pick(tables);
    const record = (): number => offset + length * random.below(Math.floor(size / length));
    return changeField(bytes, record(), record(), fields, random);
  };

const elfHeader: Mutator = (bytes, random) => (bytes.length < 64 ? bytes : changeField(bytes, 0, 0, EHDR, random));

const sectionHeader: Mutator = (bytes, random) => {
  const tables = tablesOf(bytes);
  if (tables.length === 0) return bytes;
  return changeField(bytes, random.pick(tables).header, random.pick(tables).header, SHDR, random);
};

/** Two sections over the same bytes, or one a few bytes into the other. */
const overlapSections: Mutator = (bytes, random) => {
  const tables = tablesOf(bytes);
  if (tables.length === 0) return bytes;
  const copy = Uint8Array.from(bytes);
  const [from, to] = [random.pick(tables), random.pick(tables)];
  writeNumber(copy, to.header + 24, 8, BigInt(from.offset + random.below(Math.min(64, from.size + 1))));
  if (random.oneIn(2)) writeNumber(copy, to.header + 32, 8, BigInt(from.size));
  return copy;
};

/** Section headers that refer to themselves or to each other. */
const cyclicLinks: Mutator = (bytes, random) => {
  const tables = tablesOf(bytes);
  if (tables.length === 0) return bytes;
  const copy = Uint8Array.from(bytes);
  const first = tables[0]!.header;
  const [a, b] = [random.pick(tables).header, random.pick(tables).header];
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    writeNumber(copy, one + random.pick([40, 44]), 4, BigInt((other - first) / 64));
  }
  return copy;
};

/** No NUL is left in a table of strings, or in the strings of the program. */
const endlessStrings: Mutator = (bytes, random) => {
  const tables = tablesOf(bytes).filter(
    ({ type, flags, size }) => size > 0 && (type === SHT.STRTAB || (flags & 0x20) !== 0),
  );
  if (tables.length === 0) return bytes;
  const copy = Uint8Array.from(bytes);
  const { offset, size } = random.pick(tables);
  for (let at = offset + random.below(size); at < offset + size; at++) copy[at] ||= 0x61;
  return copy;
};

/** One section becomes as much as the file can hold, of one byte value or as it is. */
const growSection: Mutator = (bytes, random) => {
  const tables = tablesOf(bytes).filter(({ type }) => type !== SHT.NOBITS && type !== SHT.NULL);
  if (tables.length === 0) return bytes;
  const copy = Uint8Array.from(bytes);
  const { header, offset } = random.pick(tables);
  writeNumber(copy, header + 32, 8, BigInt((bytes.length - offset) & ~7));
  return copy;
};

/** The content of one section in place of another's. */
const copyContent: Mutator = (bytes, random) => {
  const tables = tablesOf(bytes).filter(({ type, size }) => type === SHT.PROGBITS && size > 0);
  if (tables.length === 0) return bytes;
  const copy = Uint8Array.from(bytes);
  const [from, to] = [random.pick(tables), random.pick(tables)];
  copy.set(bytes.subarray(from.offset, from.offset + Math.min(from.size, to.size)), to.offset);
  return copy;
};

/** What makes sense for relocatable objects, modules and kernel images. */
export const elfMutators: Readonly<Record<string, Mutator>> = {
  elfHeader,
  sectionHeader,
  symbol: inTables(SHT.SYMTAB, 24, SYM),
  relocation: inTables(SHT.RELA, 24, RELA),
  symbols: (bytes, random, others) => {
    const once = elfMutators['symbol']!(bytes, random, others);
    return elfMutators['symbol']!(once, random, others);
  },
  relocations: (bytes, random, others) => {
    const once = elfMutators['relocation']!(bytes, random, others);
    return elfMutators['relocation']!(once, random, others);
  },
  overlapSections,
  cyclicLinks,
  endlessStrings,
  growSection,
  copyContent,
};
