/**
 * Finds a rebuilt unit in the shipped object and compares the two, function by function. A unit's sections are contiguous
 * in what they were linked into, so one base address a section explains every symbol and every reference of the unit;
 * a function is equal when its bytes are (relocated fields masked) and each relocated field refers to the same thing.
 */
import { SHT, STB, STT } from '@livegraft/binfmt/elf/constants';
import type { Atom, Reference, UnitObject } from '../objdiff/atoms.ts';
import { fieldSize } from '../objdiff/relocations.ts';
import type { ShippedObject } from './shipped.ts';

export type FunctionProof =
  | { readonly state: 'equal'; readonly name: string; readonly address: bigint; readonly size: number }
  | {
      readonly state: 'bytes-differ';
      readonly name: string;
      readonly offset: number;
      readonly rebuilt: string;
      readonly shipped: string;
    }
  | {
      readonly state: 'reference-differs';
      readonly name: string;
      readonly offset: number;
      readonly rebuilt: string;
      readonly shipped: string;
    }
  /** A weak definition that another unit's took the place of. */
  | { readonly state: 'overridden'; readonly name: string }
  | { readonly state: 'absent'; readonly name: string };

export interface Placement {
  /** By function name of the rebuilt object. */
  readonly functions: ReadonlyMap<string, FunctionProof>;
  /** The rebuilt unit that was placed. */
  readonly proof?: UnitObject;
  /**
   * Where a symbol of the rebuilt unit (function or variable) must be in the shipped object; whether one of that name is there,
   * the object says. Undefined when that is not known.
   */
  addressOf(name: string): bigint | undefined;
}

export function placeUnit(proof: UnitObject, shipped: ShippedObject): Placement {
  const bases = new Map<number, bigint>();
  const code = proof.atoms.filter((atom) => atom.kind === 'function');
  const bySection = new Map<number, Atom[]>();
  for (const atom of code) {
    const list = bySection.get(atom.section.index);
    if (list === undefined) bySection.set(atom.section.index, [atom]);
    else list.push(atom);
  }
  const counts = new Map<string, number>();
  for (const { name } of code) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const [section, list] of bySection) {
    const base = baseOfCode(proof, list, shipped, (name) => counts.get(name) === 1);
    if (base !== undefined) bases.set(section, base);
  }
  const functions = new Map<string, FunctionProof>();
  const votes = new Map<number, Map<bigint, number>>();
  for (const atom of code) {
    const base = bases.get(atom.section.index);
    // two of one name: nothing says which of them a name means
    const result = functions.has(atom.name)
      ? ({ state: 'absent', name: atom.name } as const)
      : proveBytes(proof, atom, base, shipped);
    functions.set(atom.name, result);
    if (result.state === 'equal') collectBases(proof, atom, result.address, shipped, votes);
  }
  for (const [section, candidates] of votes) {
    const [best] = [...candidates].sort((a, b) => b[1] - a[1]);
    if (best !== undefined && !bases.has(section)) bases.set(section, best[0]);
  }
  for (const atom of code) {
    const result = functions.get(atom.name)!;
    if (result.state === 'equal') functions.set(atom.name, proveReferences(proof, atom, result, bases, shipped));
  }
  return { functions, proof, addressOf: (name) => addressOf(proof, name, bases, shipped) };
}

/** The base that makes most of a section's functions equal, among those that their names suggest. */
function baseOfCode(
  proof: UnitObject,
  functions: readonly Atom[],
  shipped: ShippedObject,
  isAlone: (name: string) => boolean,
): bigint | undefined {
  const votes = new Map<bigint, number>();
  for (const atom of functions) {
    // what has a twin is absent in any case
    if (!isAlone(atom.name)) continue;
    const bases = new Set(
      atom.symbols.flatMap((symbol) => shipped.named(symbol.name)).map((symbol) => symbol.address - BigInt(atom.start)),
    );
    const masked = maskOf(proof, atom);
    for (const base of bases) {
      const same = firstDifference(proof, atom, base + BigInt(atom.start), shipped, masked) === undefined;
      votes.set(base, (votes.get(base) ?? 0) + (same ? 1000 + atom.size : 1));
    }
  }
  const [best] = [...votes].sort((a, b) => b[1] - a[1]);
  return best?.[0];
}

/** Not 0 where a field is relocated. */
function maskOf(proof: UnitObject, atom: Atom): Uint8Array {
  const masked = new Uint8Array(atom.size);
  for (const { offset, type } of proof.references(atom).filter((reference) => !reference.implied))
    masked.fill(1, offset, offset + fieldSize(type));
  return masked;
}

function firstDifference(
  proof: UnitObject,
  atom: Atom,
  address: bigint,
  shipped: ShippedObject,
  masked = maskOf(proof, atom),
): number | undefined {
  const there = shipped.bytes(address, atom.size);
  if (there === undefined) return 0;
  const here = proof.bytes(atom);
  for (let i = 0; i < atom.size; i++) if (masked[i] === 0 && here[i] !== there[i]) return i;
  return undefined;
}

function proveBytes(proof: UnitObject, atom: Atom, base: bigint | undefined, shipped: ShippedObject): FunctionProof {
  const { name, size } = atom;
  const weak = atom.symbols.every((symbol) => symbol.binding === STB.WEAK);
  const isNamed = (address: bigint): boolean => {
    const names = new Set(shipped.at(address).map((symbol) => symbol.name));
    return atom.symbols.some((symbol) => names.has(symbol.name));
  };
  const address = base === undefined ? undefined : base + BigInt(atom.start);
  if (address === undefined || !isNamed(address)) {
    return shipped.named(name).length > 0 && weak ? { state: 'overridden', name } : { state: 'absent', name };
  }
  const offset = firstDifference(proof, atom, address, shipped);
  if (offset === undefined) return { state: 'equal', name, address, size };
  const rebuilt = hex(proof.bytes(atom).subarray(offset, offset + 8));
  return {
    state: 'bytes-differ',
    name,
    offset,
    rebuilt,
    shipped: hex(shipped.bytes(address + BigInt(offset), Math.min(8, size - offset)) ?? new Uint8Array()),
  };
}

/** Each reference of equal code to the unit's own data says where that data's section lies. */
function collectBases(
  proof: UnitObject,
  atom: Atom,
  address: bigint,
  shipped: ShippedObject,
  votes: Map<number, Map<bigint, number>>,
): void {
  for (const { offset, type, target } of proof.references(atom)) {
    if (target.kind !== 'atom' || !hasBase(target.atom)) continue;
    const there = shipped.reference(address + BigInt(offset), type);
    if (there?.kind !== 'address') continue;
    const base = there.value - BigInt(target.atom.start + target.addend);
    const candidates = votes.get(target.atom.section.index) ?? new Map<bigint, number>();
    candidates.set(base, (candidates.get(base) ?? 0) + 1);
    votes.set(target.atom.section.index, candidates);
  }
}

/** Literal strings and constants are merged with others of their content when linked; everything else keeps its place in its section. */
function hasBase(atom: Atom): boolean {
  return atom.role !== 'strings' && atom.role !== 'constants';
}

function proveReferences(
  proof: UnitObject,
  atom: Atom,
  equal: FunctionProof & { state: 'equal' },
  bases: ReadonlyMap<number, bigint>,
  shipped: ShippedObject,
): FunctionProof {
  for (const reference of proof.references(atom)) {
    if (reference.implied) continue;
    const there = shipped.reference(equal.address + BigInt(reference.offset), reference.type);
    const wrong = there === undefined ? undefined : mismatch(proof, reference, there, bases, shipped);
    if (wrong === undefined) continue;
    return { state: 'reference-differs', name: atom.name, offset: reference.offset, ...wrong };
  }
  return equal;
}

type ShippedReferenceValue = NonNullable<ReturnType<ShippedObject['reference']>>;

function mismatch(
  proof: UnitObject,
  reference: Reference,
  there: ShippedReferenceValue,
  bases: ReadonlyMap<number, bigint>,
  shipped: ShippedObject,
): { rebuilt: string; shipped: string } | undefined {
  const { target } = reference;
  const found = there.kind === 'external' ? there.name : nameAt(shipped, there.value);
  if (target.kind === 'symbol') {
    const { name } = target.symbol;
    if (there.kind === 'external') {
      return there.name === name && there.addend === target.addend ? undefined : { rebuilt: name, shipped: found };
    }
    const address = there.value - BigInt(target.addend);
    const wanted = shipped.named(name);
    // what the linker itself defines may have no symbol: nothing to compare with then
    if (wanted.length === 0 || wanted.some((symbol) => symbol.address === BigInt.asUintN(64, address)))
      return undefined;
    return { rebuilt: name, shipped: found };
  }
  if (there.kind === 'external') return { rebuilt: target.atom.name || target.atom.section.name, shipped: found };
  if (!hasBase(target.atom)) {
    const content = proof.bytes(target.atom);
    const place = there.value - BigInt(target.addend);
    const same = shipped.bytes(place, content.length);
    if (same !== undefined && Buffer.compare(same, content) === 0) return undefined;
    return { rebuilt: quote(content), shipped: same === undefined ? found : quote(same) };
  }
  // another unit's definition may have taken a weak one's place: then the name decides
  const weak = target.atom.symbols.filter((symbol) => symbol.binding === STB.WEAK).map((symbol) => symbol.name);
  const home = BigInt.asUintN(64, there.value - BigInt(target.addend));
  if (weak.length > 0 && shipped.at(home).some((symbol) => weak.includes(symbol.name))) return undefined;
  const base = bases.get(target.atom.section.index);
  if (base === undefined || base + BigInt(target.atom.start + target.addend) === there.value) return undefined;
  return { rebuilt: `${target.atom.name || target.atom.section.name}+0x${target.at.toString(16)}`, shipped: found };
}

function addressOf(
  proof: UnitObject,
  name: string,
  bases: ReadonlyMap<number, bigint>,
  shipped: ShippedObject,
): bigint | undefined {
  const symbol = proof.elf.symbols.find(
    (each) =>
      each.name === name &&
      each.section !== 0 &&
      (each.type === STT.FUNC || each.type === STT.OBJECT || each.type === STT.NOTYPE),
  );
  const base = symbol === undefined ? undefined : bases.get(symbol.section);
  if (symbol === undefined) return undefined;
  const candidates = shipped.named(name);
  if (base !== undefined) return base + symbol.value;
  const isCode = proof.elf.sections[symbol.section]?.type === SHT.PROGBITS && symbol.type === STT.FUNC;
  return candidates.length === 1 && !isCode ? candidates[0]!.address : undefined;
}

function nameAt(shipped: ShippedObject, value: bigint): string {
  return shipped.at(value)[0]?.name ?? shipped.at(value + 4n)[0]?.name ?? `0x${value.toString(16)}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ');
}

function quote(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return JSON.stringify(
    Buffer.from(end < 0 ? bytes : bytes.subarray(0, end))
      .toString('latin1')
      .slice(0, 60),
  );
}
