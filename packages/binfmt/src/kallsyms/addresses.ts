/** The addresses of kallsyms: every known way to store them is tried, and the section boundaries decide. */
import { ByteReader } from '../bytes.ts';
import { FormatError } from '../format-error.ts';
import type { NamesLayout } from './layout.ts';

/** A symbol that stands for a place known from elsewhere: `_text` is where .text begins. */
export interface Anchor {
  readonly name: string;
  readonly address: bigint;
}

export interface Addresses {
  /** How they are stored, in words. */
  readonly reading: string;
  /** Of each symbol. */
  readonly addresses: BigUint64Array;
}

/**
 * Anchors that must be in the table and fit. On 5.10 a reading that is off by one entry is rising too and has the right
 * `_text`, because several symbols share that address; so one or two are not enough.
 */
const ANCHORS_NEEDED = 3;

/** Throws FormatError `kallsyms-addresses` or `kallsyms-ambiguous`. */
export function readAddresses(
  rodata: Uint8Array,
  sectionAddress: bigint,
  layout: NamesLayout,
  anchors: readonly Anchor[],
): Addresses {
  const places = placesOf(layout.names, anchors);
  if (places.length < ANCHORS_NEEDED) {
    throw new FormatError(
      'kallsyms-addresses',
      `kallsyms has ${places.length} of the symbols whose address is known from the sections; at least ${ANCHORS_NEEDED} are needed to trust its addresses`,
    );
  }
  const fitting = candidates(rodata, sectionAddress, layout).filter(
    ({ addresses }) =>
      places.every(({ indexes, address }) => indexes.some((i) => addresses[i] === address)) && rising(addresses),
  );
  const [first, ...others] = fitting;
  if (first === undefined) {
    throw new FormatError(
      'kallsyms-addresses',
      'No known way to store kallsyms addresses fits the sections of this image',
      layout.countAt,
    );
  }
  const other = others.find(({ addresses }) => addresses.some((address, i) => address !== first.addresses[i]));
  if (other !== undefined) {
    throw new FormatError(
      'kallsyms-ambiguous',
      `kallsyms addresses can be read in two ways: ${first.reading}, and ${other.reading}`,
      layout.countAt,
    );
  }
  return first;
}

/** Where the anchors are in the table; an address of theirs need fit only one of several symbols of that name. */
function placesOf(names: readonly string[], anchors: readonly Anchor[]): { indexes: number[]; address: bigint }[] {
  const wanted = new Map(anchors.map(({ name, address }) => [name, { indexes: [] as number[], address }]));
  names.forEach((text, index) => {
    wanted.get(text.slice(1))?.indexes.push(index);
  });
  return [...wanted.values()].filter(({ indexes }) => indexes.length > 0);
}

function candidates(
  rodata: Uint8Array,
  sectionAddress: bigint,
  { names, countAt, tokensEnd }: NamesLayout,
): Addresses[] {
  const reader = new ByteReader(rodata, 'kallsyms');
  const count = names.length;
  const found: Addresses[] = [];
  const add = (reading: string, at: number, size: number, address: (entry: number) => bigint): void => {
    if (at < 0 || at + count * size > rodata.length) return;
    found.push({ reading, addresses: BigUint64Array.from({ length: count }, (_, i) => address(at + i * size)) });
  };
  const offsets = (where: string, at: number, baseAt: number): void => {
    if (at < 0 || baseAt < 0 || baseAt + 8 > rodata.length) return;
    const base = reader.u64(baseAt);
    add(`offsets ${where}, absolute percpu`, at, 4, (entry) => {
      const offset = reader.i32(entry);
      return offset >= 0 ? BigInt(offset) : base - 1n - BigInt(offset);
    });
    add(`offsets ${where}, plain`, at, 4, (entry) => base + BigInt(reader.u32(entry)));
  };

  for (const align of [4, 8]) {
    // before the names: the base directly before the count, the offsets before it, each aligned
    const baseAt = countAt - 8;
    offsets('before the names', roundDown(baseAt - count * 4, align), baseAt);
    add('addresses before the names', roundDown(countAt - count * 8, 8), 8, (entry) => reader.u64(entry));
    const at = roundUp(tokensEnd, align);
    offsets('after the tokens', at, roundUp(at + count * 4, align));
    add('offsets from their own place after the tokens', at, 4, (entry) =>
      BigInt.asUintN(64, sectionAddress + BigInt(entry) + BigInt(reader.i32(entry))),
    );
  }
  return found;
}

function rising(addresses: BigUint64Array): boolean {
  return addresses.every((address, i) => i === 0 || addresses[i - 1]! <= address);
}

function roundDown(value: number, align: number): number {
  return Math.floor(value / align) * align;
}

function roundUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}
