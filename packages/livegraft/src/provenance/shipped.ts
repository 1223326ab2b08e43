/** A klp object as it was shipped (vmlinux, or a module's .ko): its symbols as the livepatch core counts them, its code, what its code refers to. */
import { ET, SHF, SHN, SHT, STB, STT } from '@livegraft/binfmt/elf/constants';
import type { ElfFile, ElfSection } from '@livegraft/binfmt/elf/types';
import { FormatError } from '@livegraft/binfmt/format-error';
import type { KernelImage } from '../kernel/image.ts';
import { beginsWithEndbr } from '../support/endbr.ts';

export interface ShippedSymbol {
  readonly name: string;
  readonly address: bigint;
  /** Visible to other units when it was linked. */
  readonly global: boolean;
}

/** What a relocated field holds: the sum S + A of the psABI, or the name of a symbol that another object defines. */
export type ShippedReference =
  | { readonly kind: 'address'; readonly value: bigint }
  | { readonly kind: 'external'; readonly name: string; readonly addend: number };

/** `sealed`: the kernel overwrites it when it starts or loads the module. */
export type LandingPad = 'kept' | 'sealed' | 'absent';

export interface ShippedObject {
  /** `vmlinux` or the module's name. */
  readonly name: string;
  /** Symbols of that name in the order the livepatch core meets them. */
  named(name: string): readonly ShippedSymbol[];
  at(address: bigint): readonly ShippedSymbol[];
  /** Undefined when the object has no such bytes. */
  bytes(address: bigint, size: number): Uint8Array | undefined;
  /** What the field of a relocation of this type refers to; undefined when nothing can be said. */
  reference(address: bigint, type: number): ShippedReference | undefined;
  /** True when ftrace can hook the function that begins there. */
  traceable(address: bigint): boolean;
  /** What becomes of the `endbr64` at an address of code; undefined for data, and for a kernel without IBT. */
  landingPad(address: bigint): LandingPad | undefined;
  /** True when the name has another position while the module is loading than later, when its init part is gone. */
  unstable(name: string): boolean;
}

const MASK = (1n << 64n) - 1n;

/** The kernel itself, from its image. Addresses are as linked. */
export function shippedVmlinux(image: KernelImage): ShippedObject {
  const shape = (symbol: { name: string; address: bigint; type: string }): ShippedSymbol => ({
    name: symbol.name,
    address: symbol.address,
    global: symbol.type === symbol.type.toUpperCase() || symbol.type === 'w',
  });
  const bytes = (address: bigint, size: number): Uint8Array | undefined => {
    const section = image.sectionAt(address);
    if (section === undefined || address + BigInt(size) > section.address + BigInt(section.size)) return undefined;
    return image.read(address, size);
  };
  let sealed: ReadonlySet<bigint> | undefined;
  return {
    name: 'vmlinux',
    named: (name) => image.symbols.named(name).map(shape),
    at: (address) => image.symbols.at(address).map(shape),
    bytes,
    reference(address, type) {
      const size = type === 1 || type === 24 ? 8 : 4;
      const field = bytes(address, size);
      if (field === undefined) return undefined;
      const view = new DataView(field.buffer, field.byteOffset, size);
      switch (type) {
        case 1:
          return { kind: 'address', value: view.getBigUint64(0, true) };
        case 2:
        case 4:
          return { kind: 'address', value: (BigInt(view.getInt32(0, true)) + address) & MASK };
        case 10:
          return { kind: 'address', value: BigInt(view.getUint32(0, true)) };
        case 11:
          return { kind: 'address', value: BigInt(view.getInt32(0, true)) & MASK };
        case 24:
          return { kind: 'address', value: (view.getBigUint64(0, true) + address) & MASK };
        default:
          return undefined;
      }
    },
    traceable: (address) => image.ftraceEntry(address) !== undefined,
    landingPad(address) {
      sealed ??= sealedOf(image);
      if (sealed.size === 0 || !isCode(image.sectionAt(address))) return undefined;
      return landingPadOf(sealed, address, bytes(address, 4));
    },
    unstable: () => false,
  };
}

/**
 * A module, from its .ko. It has no addresses before it is loaded: each section is put at a made-up base of its own,
 * far enough from the others that no sum leads from one to another by mistake.
 * Throws FormatError (`module-*`) for a file that is no module.
 */
export function shippedModule(name: string, elf: ElfFile): ShippedObject {
  requireModule(elf);
  const base = (section: number): bigint => BigInt(section + 1) * room;
  const sectionAt = (address: bigint): ElfSection | undefined => elf.sections[Number(address / room) - 1];
  const offsetOf = (address: bigint): number => Number(address & (room - 1n));
  const defined = elf.symbols.filter(
    (symbol) => symbol.name !== '' && symbol.section !== SHN.UNDEF && symbol.special === undefined,
  );
  // kernel/module/kallsyms.c, is_core_symbol(): what stays once the module is live
  const stays = defined.filter((symbol) => {
    const section = elf.sections[symbol.section]!;
    return (section.flags & SHF.ALLOC) !== 0 && !section.name.startsWith('.init');
  });
  const shape = (symbol: (typeof defined)[number]): ShippedSymbol => ({
    name: symbol.name,
    address: base(symbol.section) + symbol.value,
    global: symbol.binding !== STB.LOCAL,
  });
  const index = <K>(list: readonly ShippedSymbol[], key: (symbol: ShippedSymbol) => K): Map<K, ShippedSymbol[]> => {
    const map = new Map<K, ShippedSymbol[]>();
    for (const symbol of list) {
      const known = map.get(key(symbol));
      if (known === undefined) map.set(key(symbol), [symbol]);
      else known.push(symbol);
    }
    return map;
  };
  const relevant = stays.filter((symbol) => symbol.type !== STT.SECTION && symbol.type !== STT.FILE);
  const byName = index(relevant.map(shape), (symbol) => symbol.name);
  const byAddress = index(relevant.map(shape), (symbol) => symbol.address);
  const early = index(defined.map(shape), (symbol) => symbol.name);
  const listed = (table: string): Set<bigint> => {
    const relocated = elf.sections.filter((section) => section.name === table).flatMap((each) => each.relocations);
    return new Set(
      relocated.map(({ symbol, addend }) => {
        const { section, value } = elf.symbols[symbol]!;
        return base(section) + value + BigInt(addend);
      }),
    );
  };
  const entries = listed('__mcount_loc');
  const sealed = listed('.ibt_endbr_seal');
  const bytes = (address: bigint, size: number): Uint8Array | undefined => {
    const section = sectionAt(address);
    const offset = offsetOf(address);
    if (section === undefined || offset + size > section.size) return undefined;
    return section.type === SHT.NOBITS ? new Uint8Array(size) : section.data.subarray(offset, offset + size);
  };
  const relocations = new Map<number, Map<number, ElfSection['relocations'][number]>>();
  return {
    name,
    named: (wanted) => byName.get(wanted) ?? [],
    at: (address) => byAddress.get(address) ?? [],
    bytes,
    reference(address, type) {
      const section = sectionAt(address);
      if (section === undefined) return undefined;
      const known = relocations.get(section.index) ?? new Map(section.relocations.map((each) => [each.offset, each]));
      relocations.set(section.index, known);
      const relocation = known.get(offsetOf(address));
      const isCall = (each: number): boolean => each === 2 || each === 4;
      if (relocation === undefined || (relocation.type !== type && !(isCall(relocation.type) && isCall(type)))) {
        // ld -r resolves branches within a section itself
        const field = isCall(type) && relocation === undefined ? bytes(address, 4) : undefined;
        if (field === undefined) return undefined;
        return {
          kind: 'address',
          value: BigInt(new DataView(field.buffer, field.byteOffset, 4).getInt32(0, true)) + address,
        };
      }
      const symbol = elf.symbols[relocation.symbol]!;
      if (symbol.section === SHN.UNDEF) return { kind: 'external', name: symbol.name, addend: relocation.addend };
      return { kind: 'address', value: base(symbol.section) + symbol.value + BigInt(relocation.addend) };
    },
    traceable: (address) => entries.has(address) || entries.has(address + 4n),
    landingPad(address) {
      if (sealed.size === 0 || !isCode(sectionAt(address))) return undefined;
      return landingPadOf(sealed, address, bytes(address, 4));
    },
    unstable(wanted) {
      const live = byName.get(wanted) ?? [];
      const coming = early.get(wanted) ?? [];
      return (
        live.some((symbol, i) => coming[i]?.address !== symbol.address) || (live.length === 1 && coming.length > 1)
      );
    },
  };
}

/** `.ibt_endbr_seal` of an image: for each sealed landing pad how far it is from its entry (s32). */
function sealedOf(image: KernelImage): ReadonlySet<bigint> {
  const table = image.section('.ibt_endbr_seal');
  if (table === undefined) return new Set();
  const view = new DataView(table.data.buffer, table.data.byteOffset, table.data.length);
  return new Set(
    Array.from({ length: table.data.length >> 2 }, (_, i) =>
      BigInt.asUintN(64, table.address + BigInt(4 * i + view.getInt32(4 * i, true))),
    ),
  );
}

/** Linkers mark data as code when a section that went into it is so. */
function isCode(section: ElfSection | undefined): boolean {
  return section !== undefined && (section.flags & (SHF.EXECINSTR | SHF.WRITE)) === SHF.EXECINSTR;
}

function landingPadOf(sealed: ReadonlySet<bigint>, address: bigint, code: Uint8Array | undefined): LandingPad {
  if (sealed.has(address)) return 'sealed';
  return code !== undefined && beginsWithEndbr(code) ? 'kept' : 'absent';
}

/** Bytes of the address space that a section gets. */
const room = 1n << 40n;

function requireModule(elf: ElfFile): void {
  if (elf.type !== ET.REL)
    throw new FormatError('module-type', `It is of ELF type ${elf.type}; a module has ${ET.REL}`);
  for (const { name, section, value, special } of elf.symbols) {
    if (special === undefined && (value >= room || BigInt(elf.sections[section]!.size) >= room))
      throw new FormatError(
        'module-symbol',
        `The symbol ${name || '(unnamed)'} is at 0x${value.toString(16)} of its section`,
      );
  }
}

/** Where the symbol at `address` stands among those of its name: 1 for the first. 0 when there is none. */
export function positionOf(object: ShippedObject, name: string, address: bigint): number {
  return object.named(name).findIndex((symbol) => symbol.address === address) + 1;
}
