/**
 * Where the symbols of a unit are in the shipped kernel, read from the shipped code itself: functions of the rebuilt original that are
 * found there byte for byte say with each of their relocated fields where something is. All of them must agree.
 */
import { SHF, SHN, STB, STT } from '@livegraft/binfmt/elf/constants';
import type { ElfRelocation, ElfSection, ElfSymbol } from '@livegraft/binfmt/elf/types';
import { type Place, plus, type ShippedCode, type ShippedKernel } from './kernel.ts';
import { type UnitFile, widthOf } from './object.ts';

export class UnitPlaces {
  /** What two fields of shipped code disagree about. */
  readonly contradictions: string[] = [];
  readonly #proof: UnitFile;
  readonly #shipped: ShippedCode;
  readonly #kernel: ShippedKernel;
  /** Section number → place of its first byte. */
  readonly #bases = new Map<number, Place>();
  /** Undefined and weak symbols by name. */
  readonly #named = new Map<string, Place>();
  readonly #equal = new Map<string, { readonly place: Place; readonly symbol: ElfSymbol }>();

  constructor(proof: UnitFile, shipped: ShippedCode, kernel: ShippedKernel) {
    this.#proof = proof;
    this.#shipped = shipped;
    this.#kernel = kernel;
    for (const section of proof.elf.sections) if ((section.flags & SHF.EXECINSTR) !== 0) this.#placeCode(section);
    this.#vote();
  }

  /** The place of a function that is in the shipped code byte for byte. */
  equal(name: string): Place | undefined {
    return this.#equal.get(name)?.place;
  }

  /** Where a symbol is that the unit's original defines; undefined when nothing tells. */
  defined(name: string): Place | undefined {
    const symbol = this.#proof.symbols.find((each) => each.name === name);
    if (symbol === undefined) return undefined;
    if (symbol.binding === STB.WEAK) return this.undefined(name);
    const base = this.#bases.get(symbol.section);
    if (base !== undefined) return plus(base, Number(symbol.value));
    if (symbol.binding === STB.GLOBAL) return this.#kernel.linked(this.#shipped.name, name);
    const found = this.#shipped.named(name);
    return found.length === 1 && symbol.type === STT.OBJECT
      ? { object: this.#shipped.name, address: found[0]!.address }
      : undefined;
  }

  /** Where a symbol is that the unit takes from elsewhere. */
  undefined(name: string): Place | undefined {
    return this.#named.get(name) ?? this.#kernel.linked(this.#shipped.name, name);
  }

  /** The symbols of the original that lie at a place. */
  at(place: Place): readonly ElfSymbol[] {
    return this.#proof.symbols.filter((symbol) => {
      const base = this.#bases.get(symbol.section);
      return base !== undefined && base.object === place.object && base.address + symbol.value === place.address;
    });
  }

  /** The base that explains most of a section's functions. */
  #placeCode(section: ElfSection): void {
    const weights = new Map<bigint, number>();
    const functions = this.#proof.symbolsOf(section).filter((symbol) => symbol.type === STT.FUNC && symbol.size > 0);
    const fits: { symbol: ElfSymbol; base: bigint }[] = [];
    for (const symbol of functions) {
      for (const { address } of this.#shipped.named(symbol.name)) {
        if (!this.#isEqual(section, symbol, address)) continue;
        const base = address - symbol.value;
        fits.push({ symbol, base });
        weights.set(base, (weights.get(base) ?? 0) + symbol.size);
      }
    }
    const [best, second] = [...weights].sort((a, b) => b[1] - a[1]);
    if (best === undefined || best[1] === second?.[1]) return;
    const { name } = this.#shipped;
    this.#bases.set(section.index, { object: name, address: best[0] });
    for (const { symbol, base } of fits)
      if (base === best[0])
        this.#equal.set(symbol.name, { place: { object: name, address: base + symbol.value }, symbol });
  }

  #isEqual(section: ElfSection, symbol: ElfSymbol, address: bigint): boolean {
    const start = Number(symbol.value);
    const there = this.#shipped.bytes(address, symbol.size);
    if (there === undefined) return false;
    let from = start;
    const same = (to: number): boolean => {
      for (let at = from; at < to; at++) if (section.data[at] !== there[at - start]) return false;
      return true;
    };
    for (const { offset, type } of this.#proof.relocations(section, start, start + symbol.size)) {
      if (!same(offset)) return false;
      from = offset + widthOf(type);
    }
    return same(start + symbol.size);
  }

  #vote(): void {
    const votes = new Map<string, Map<string, Place>>();
    for (const { place, symbol: user } of this.#equal.values()) {
      const section = this.#proof.elf.sections[user.section]!;
      const start = Number(user.value);
      for (const relocation of this.#proof.relocations(section, start, start + user.size)) {
        const value = this.#shipped.reference(place.address + BigInt(relocation.offset - start), relocation.type);
        const key = value && this.#key(relocation);
        if (key === undefined) continue;
        const symbol = this.#proof.elf.symbols[relocation.symbol]!;
        const said = plus(value!, -relocation.addend - (typeof key === 'number' ? Number(symbol.value) : 0));
        const list = votes.get(String(key)) ?? new Map<string, Place>();
        list.set(`${said.object} ${said.address}`, said);
        votes.set(String(key), list);
        if (typeof key === 'number') this.#settle(key, said);
        else this.#named.set(key, said);
      }
    }
    for (const [key, list] of votes) {
      const known = /^\d+$/.test(key) ? this.#bases.get(Number(key)) : undefined;
      if (known !== undefined) list.set(`${known.object} ${known.address}`, known);
      if (list.size === 1) continue;
      const what = known === undefined ? key : this.#proof.elf.sections[Number(key)]!.name;
      this.contradictions.push(
        `${what} is at ${[...list.values()].map((place) => this.#kernel.describe(place)).join(' and at ')}`,
      );
    }
  }

  #settle(section: number, base: Place): void {
    if (!this.#bases.has(section)) this.#bases.set(section, base);
  }

  /** What a relocation tells about: a section's number, a symbol's name, or nothing that stays together when it is linked. */
  #key({ symbol: index }: ElfRelocation): number | string | undefined {
    const symbol = this.#proof.elf.symbols[index]!;
    if (symbol.special !== undefined) return undefined;
    if (symbol.section === SHN.UNDEF || symbol.binding === STB.WEAK) return symbol.name;
    const section = this.#proof.elf.sections[symbol.section]!;
    return (section.flags & SHF.MERGE) !== 0 ? undefined : section.index;
  }
}
