/** Damage to bytes of any format. Each mutator returns a new array; the input stays as it was. */
import { edges, type Random } from './random.ts';

/** @param others further inputs of the same kind, to take parts from */
export type Mutator = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

/** Longest stretch that one mutator fills, inserts or takes out. */
const stretch = 64;
/** Inputs do not grow beyond this, whatever is inserted. */
const largest = 1 << 22;

const flipBits: Mutator = (bytes, random) => {
  const copy = Uint8Array.from(bytes);
  for (let left = 1 + random.below(4); left > 0 && copy.length > 0; left--) {
    copy[random.below(copy.length)]! ^= 1 << random.below(8);
  }
  return copy;
};

const fillRun: Mutator = (bytes, random) => {
  const at = random.below(bytes.length);
  return Uint8Array.from(bytes).fill(random.pick([0, 1, 0x41, 0x7f, 0x80, 0xff]), at, at + 1 + random.below(stretch));
};

const truncate: Mutator = (bytes, random) => bytes.slice(0, random.below(bytes.length));

const insertBytes: Mutator = (bytes, random) => {
  const added = Uint8Array.from({ length: 1 + random.below(stretch) }, () => random.below(256));
  return splice(bytes, random.below(bytes.length + 1), 0, added);
};

const removeBytes: Mutator = (bytes, random) =>
  splice(bytes, random.below(bytes.length), 1 + random.below(stretch), new Uint8Array(0));

const repeatPart: Mutator = (bytes, random) => {
  const from = random.below(bytes.length);
  const part = bytes.slice(from, from + 1 + random.below(4 * stretch));
  return splice(bytes, random.below(bytes.length + 1), 0, part);
};

const spliceOther: Mutator = (bytes, random, others) => {
  const other = others.length === 0 ? bytes : random.pick(others);
  const from = random.below(other.length);
  const part = other.slice(from, random.oneIn(4) ? other.length : from + 1 + random.below(4 * stretch));
  return splice(bytes, random.below(bytes.length + 1), random.oneIn(2) ? part.length : 0, part);
};

const edgeValue: Mutator = (bytes, random) => {
  const size = random.pick([1, 2, 4, 8] as const);
  if (bytes.length < size) return bytes;
  const copy = Uint8Array.from(bytes);
  const at = random.below(copy.length - size + 1);
  const step = random.oneIn(4) ? 1 : size;
  const near = BigInt(bytes.length + random.below(17) - 8);
  writeNumber(copy, at - (at % step), size, random.oneIn(4) ? near : random.pick(edges));
  return copy;
};

/** What makes sense for every format. */
export const byteMutators: Readonly<Record<string, Mutator>> = {
  flipBits,
  fillRun,
  truncate,
  insertBytes,
  removeBytes,
  repeatPart,
  spliceOther,
  edgeValue,
};

export function splice(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  const whole = Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
  return Uint8Array.from(whole.subarray(0, Math.max(largest, bytes.length)));
}

/** Little-endian, cut to its size. */
export function writeNumber(bytes: Uint8Array, at: number, size: 1 | 2 | 4 | 8, value: bigint): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

export function readNumber(bytes: Uint8Array, at: number, size: 1 | 2 | 4 | 8): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
  return value;
}
