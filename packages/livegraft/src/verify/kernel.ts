/**
 * The shipped kernel as loader, linker and livepatch core see it: which place a name stands for, what a field of shipped code refers to.
 * provenance/shipped.ts answers like questions for the builder; the checker has its own answers, so that one mistake is not on both sides.
 */
import { SHF, SHN, SHT, STB, STT } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfFile, ElfSymbol } from '@livegraft/binfmt/elf/types';
import type { KernelImage } from '../kernel/image.ts';
import { append } from './object.ts';

/** An address of vmlinux as linked, or a place of a module: section number + 1 in the bits from 40 on, offset below. */
export interface Place {
  readonly object: string;
  readonly address: bigint;
}

interface NamedPlace {
  readonly address: bigint;
  readonly global: boolean;
}

const WORD = (1n << 64n) - 1n;

export function plus({ object, address }: Place, offset: number): Place {
  return { object, address: (address + BigInt(offset)) & WORD };
}

export function samePlace(a: Place | undefined, b: Place | undefined): boolean {
  return a !== undefined && b !== undefined && a.object === b.object && a.address === b.address;
}

/** vmlinux or one module. */
export interface ShippedCode {
  readonly name: string;
  /** Symbols of a name in the order of the livepatch core (kernel/livepatch/core.c, klp_find_callback). */
  named(name: string): readonly NamedPlace[];
  /** The same while a module is being loaded, when its init part is still there. */
  namedEarly(name: string): readonly NamedPlace[];
  bytes(address: bigint, size: number): Uint8Array | undefined;
  /** What a field of the shipped code holds: S + A. */
  reference(address: bigint, type: number): Place | undefined;
  traceable(address: bigint): boolean;
  describe(address: bigint): string;
}

export class ShippedKernel {
  readonly image: KernelImage;
  readonly #modules: ReadonlyMap<string, Uint8Array>;
  readonly #read = new Map<string, ShippedCode>();

  constructor(image: KernelImage, modules: ReadonlyMap<string, Uint8Array>) {
    this.image = image;
    this.#modules = modules;
  }

  /** A klp object; undefined for a module that is not among those given. */
  object(name: string): ShippedCode | undefined {
    const known = this.#read.get(name);
    if (known !== undefined) return known;
    const bytes = this.#modules.get(name);
    if (name !== 'vmlinux' && bytes === undefined) return undefined;
    const made =
      bytes === undefined || name === 'vmlinux'
        ? vmlinux(this.image)
        : shippedModule(name, readElf(bytes), (symbol) => this.linked(name, symbol));
    this.#read.set(name, made);
    return made;
  }

  /** The .ko of a module that was given. */
  file(name: string): Uint8Array | undefined {
    return this.#modules.get(name);
  }

  /** Which symbol the livepatch core finds (klp_find_object_symbol); a text when it finds none. */
  find(object: string, name: string, position: number): Place | string {
    const code = this.object(object);
    if (code === undefined) return `${object} is no object of this kernel that the module may refer to`;
    const found = code.named(name);
    if (found.length === 0) return `${object} has no symbol ${name}`;
    if (position === 0 && found.length > 1)
      return `${object} has ${found.length} symbols ${name}, and no position is given`;
    const symbol = found[Math.max(0, position - 1)];
    if (symbol === undefined) return `${object} has ${found.length} symbols ${name}, not ${position}`;
    if (symbol.address === 0n) return `the livepatch core takes the address 0 of ${name} for absent`;
    const early = code.namedEarly(name);
    if (early[Math.max(0, position - 1)]?.address !== symbol.address || (position === 0 && early.length > 1))
      return `${name} has another position while ${object} is being loaded`;
    return { object, address: symbol.address };
  }

  /** What vmlinux or a module exports by a name. */
  exported(name: string): Place | undefined {
    const owner = this.image.exports.get(name)?.owner;
    return owner === undefined ? undefined : this.#global(moduleName(owner), name);
  }

  /** Whom a name means that a unit of `object` leaves undefined: the linker's choice, then the loader's. */
  linked(object: string, name: string): Place | undefined {
    return (
      (object === 'vmlinux' ? undefined : this.#global(object, name)) ??
      this.exported(name) ??
      this.#global('vmlinux', name)
    );
  }

  #global(object: string, name: string): Place | undefined {
    const found =
      this.object(object)
        ?.named(name)
        .filter((symbol) => symbol.global) ?? [];
    const [first] = found;
    if (first === undefined || found.some((symbol) => symbol.address !== first.address)) return undefined;
    return { object, address: first.address };
  }

  describe({ object, address }: Place): string {
    return this.object(object)?.describe(address) ?? `0x${address.toString(16)} [${object}]`;
  }
}

/** `fs/jbd2/jbd2` → `jbd2`. */
export function moduleName(owner: string): string {
  return owner.slice(owner.lastIndexOf('/') + 1).replaceAll('-', '_');
}

function vmlinux(image: KernelImage): ShippedCode {
  const named = (name: string): readonly NamedPlace[] =>
    image.symbols
      .named(name)
      .map(({ address, type }) => ({ address, global: type !== type.toLowerCase() || type === 'w' || type === 'v' }));
  const bytes = (address: bigint, size: number): Uint8Array | undefined => {
    const section = image.sectionAt(address);
    if (section === undefined || address + BigInt(size) > section.address + BigInt(section.size)) return undefined;
    return image.read(address, size);
  };
  return {
    name: 'vmlinux',
    named,
    namedEarly: named,
    bytes,
    reference(address, type) {
      const field = bytes(address, type === 1 || type === 24 ? 8 : 4);
      const value = field && fieldValue(field, type, address);
      return value === undefined ? undefined : { object: 'vmlinux', address: value };
    },
    traceable: (address) => image.ftraceEntry(address) !== undefined,
    describe: (address) => {
      const symbol = image.symbols.covering(address);
      const offset = symbol === undefined ? 0n : address - symbol.address;
      return symbol === undefined || offset > 0x100000n
        ? `0x${address.toString(16)}`
        : `${symbol.name}+0x${offset.toString(16)}`;
    },
  };
}

/** S + A of a field as linked (x86-64 psABI 4.4). */
function fieldValue(field: Uint8Array, type: number, address: bigint): bigint | undefined {
  const view = new DataView(field.buffer, field.byteOffset, field.length);
  if (type === 1) return view.getBigUint64(0, true);
  if (type === 24) return (view.getBigUint64(0, true) + address) & WORD;
  if (type === 10) return BigInt(view.getUint32(0, true));
  if (type === 11) return BigInt(view.getInt32(0, true)) & WORD;
  return type === 2 || type === 4 ? (BigInt(view.getInt32(0, true)) + address) & WORD : undefined;
}

function shippedModule(name: string, elf: ElfFile, linked: (symbol: string) => Place | undefined): ShippedCode {
  const base = (section: number): bigint => BigInt(section + 1) << 40n;
  const sectionAt = (address: bigint) => elf.sections[Number(address >> 40n) - 1];
  const offsetOf = (address: bigint): number => Number(address & ((1n << 40n) - 1n));
  const placeOf = (symbol: ElfSymbol): bigint => base(symbol.section) + symbol.value;
  const early = new Map<string, NamedPlace[]>();
  const live = new Map<string, NamedPlace[]>();
  const starts: { name: string; address: bigint }[] = [];
  for (const symbol of elf.symbols) {
    if (symbol.section === SHN.UNDEF || symbol.special !== undefined || symbol.name === '') continue;
    const place = { address: placeOf(symbol), global: symbol.binding !== STB.LOCAL };
    append(early, symbol.name, place);
    const section = elf.sections[symbol.section]!;
    // kernel/module/kallsyms.c, is_core_symbol()
    if ((section.flags & SHF.ALLOC) === 0 || section.name.startsWith('.init')) continue;
    append(live, symbol.name, place);
    if (symbol.type === STT.FUNC || symbol.type === STT.OBJECT)
      starts.push({ name: symbol.name, address: place.address });
  }
  const entries = new Set<bigint>();
  for (const section of elf.sections.filter((each) => each.name === '__mcount_loc'))
    for (const { symbol, addend } of section.relocations) entries.add(placeOf(elf.symbols[symbol]!) + BigInt(addend));
  const fields = new Map<number, ReadonlyMap<number, (typeof elf.sections)[number]['relocations'][number]>>();
  const bytes = (address: bigint, size: number): Uint8Array | undefined => {
    const section = sectionAt(address);
    const offset = offsetOf(address);
    if (section === undefined || offset + size > section.size) return undefined;
    return section.type === SHT.NOBITS ? new Uint8Array(size) : section.data.subarray(offset, offset + size);
  };
  return {
    name,
    named: (wanted) => live.get(wanted) ?? [],
    namedEarly: (wanted) => early.get(wanted) ?? [],
    bytes,
    reference(address, type) {
      const section = sectionAt(address);
      if (section === undefined) return undefined;
      const known = fields.get(section.index) ?? new Map(section.relocations.map((each) => [each.offset, each]));
      fields.set(section.index, known);
      const relocation = known.get(offsetOf(address));
      if (relocation === undefined) {
        // ld -r leaves what the assembler resolved within a section
        const field = type === 2 || type === 4 ? bytes(address, 4) : undefined;
        const value = field && fieldValue(field, type, address);
        return value === undefined ? undefined : { object: name, address: value };
      }
      const symbol = elf.symbols[relocation.symbol]!;
      if (symbol.section !== SHN.UNDEF) return plus({ object: name, address: placeOf(symbol) }, relocation.addend);
      const place = linked(symbol.name);
      return place && plus(place, relocation.addend);
    },
    traceable: (address) => entries.has(address) || entries.has(address + 4n),
    describe(address) {
      const [nearest] = starts
        .filter((each) => each.address <= address && each.address >> 40n === address >> 40n)
        .sort((a, b) => (a.address < b.address ? 1 : -1));
      const section = sectionAt(address)?.name ?? '?';
      return nearest === undefined
        ? `${section}+0x${offsetOf(address).toString(16)} [${name}]`
        : `${nearest.name}+0x${(address - nearest.address).toString(16)} [${name}]`;
    },
  };
}
