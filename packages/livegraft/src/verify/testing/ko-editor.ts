/** Edits a finished .ko in place, as a mistake of the builder would have left it. */
import { SHT } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfFile, ElfSection } from '@livegraft/binfmt/elf/types';

interface Entry {
  /** Offset in the file. */
  readonly at: number;
  readonly offset: number;
  readonly type: number;
  readonly symbol: string;
  readonly addend: number;
}

export class KoEditor {
  readonly bytes: Buffer;
  readonly elf: ElfFile;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
    this.elf = readElf(Buffer.from(bytes));
  }

  section(name: string): ElfSection {
    const found = this.elf.sections.find((section) => section.name === name);
    if (found === undefined) throw new Error(`no section ${name}`);
    return found;
  }

  /** Adds to a byte of a section. */
  bump(name: string, offset: number, by = 1): void {
    const at = this.section(name).offset + offset;
    this.bytes[at] = (this.bytes[at]! + by) & 0xff;
  }

  /** The entries of a relocation section, in the file's order. */
  entries(table: string): Entry[] {
    const { offset: base, size, type } = this.section(table);
    if (type !== SHT.RELA) throw new Error(`${table} holds no relocations`);
    return Array.from({ length: size / 24 }, (_, i) => {
      const at = base + 24 * i;
      const symbol = this.elf.symbols[this.bytes.readUInt32LE(at + 12)]!;
      return {
        at,
        offset: Number(this.bytes.readBigUInt64LE(at)),
        type: this.bytes.readUInt32LE(at + 8),
        symbol: symbol.name || this.elf.sections[symbol.section]!.name,
        addend: Number(this.bytes.readBigInt64LE(at + 16)),
      };
    });
  }

  entry(table: string, match: (entry: Entry) => boolean): Entry {
    const found = this.entries(table).find(match);
    if (found === undefined) throw new Error(`${table} has no such entry`);
    return found;
  }

  addend({ at, addend }: Entry, by: number): void {
    this.bytes.writeBigInt64LE(BigInt(addend + by), at + 16);
  }

  type({ at }: Entry, type: number): void {
    this.bytes.writeUInt32LE(type, at + 8);
  }

  /** Makes one entry refer to what another does. */
  redirect(entry: Entry, to: Entry): void {
    this.bytes.copyWithin(entry.at + 12, to.at + 12, to.at + 16);
  }

  /** Puts a text of the same length in the place of another, everywhere. */
  replace(from: string, to: string): void {
    if (from.length !== to.length) throw new Error(`${from} and ${to} differ in length`);
    let at = this.bytes.indexOf(from, 0, 'latin1');
    if (at < 0) throw new Error(`nowhere ${JSON.stringify(from)}`);
    for (; at >= 0; at = this.bytes.indexOf(from, at + 1, 'latin1')) this.bytes.write(to, at, 'latin1');
  }

  /** Cuts bytes off a section's end. */
  shorten(name: string, by: number): void {
    const { index, size } = this.section(name);
    this.bytes.writeBigUInt64LE(BigInt(size - by), this.#header(index) + 32);
  }

  flags(name: string, change: (flags: number) => number): void {
    const { index, flags } = this.section(name);
    this.bytes.writeBigUInt64LE(BigInt(change(flags)), this.#header(index) + 8);
  }

  /** Where a symbol of the module lies. */
  symbol(name: string): { section: string; offset: number; size: number } {
    const found = this.elf.symbols.find((symbol) => symbol.name === name && symbol.section !== 0);
    if (found === undefined) throw new Error(`no symbol ${name}`);
    return { section: this.elf.sections[found.section]!.name, offset: Number(found.value), size: found.size };
  }

  #header(index: number): number {
    return Number(this.bytes.readBigUInt64LE(40)) + 64 * index;
  }
}
