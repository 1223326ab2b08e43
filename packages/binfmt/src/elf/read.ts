/**
 * Reads ELF64 little-endian files: relocatable objects, kernel modules, the vmlinux inside a boot image.
 * Layout: System V gABI, chapters 4 and 5 (include/uapi/linux/elf.h). The input is hostile: each offset is checked.
 */
import { ByteReader } from '../bytes.ts';
import { FormatError } from '../format-error.ts';
import { ET, SHF, SHN, SHT } from './constants.ts';
import type { ElfFile, ElfRelocation, ElfSection, ElfSymbol } from './types.ts';

const EHDR = 64;
const SHDR = 64;
const SYM = 24;
const RELA = 24;
/** Longer names than any compiler makes; without a limit, many headers that share one long name would cost without end. */
const NAME_LIMIT = 4096;

const utf8 = new TextDecoder('utf-8', { fatal: false });

/** Parses a whole file. Throws FormatError (`elf-*`, `truncated`) on anything that does not follow the format. */
export function readElf(bytes: Uint8Array): ElfFile {
  const reader = new ByteReader(bytes, 'ELF file');
  if (bytes.length < EHDR || reader.u32(0) !== 0x464c457f) {
    throw new FormatError('elf-magic', 'Not an ELF file: it does not begin with 7f 45 4c 46', 0);
  }
  if (reader.u8(4) !== 2 || reader.u8(5) !== 1) {
    throw new FormatError('elf-class', 'Not a 64-bit little-endian ELF file', 4);
  }
  const headers = readSectionHeaders(reader);
  const relocations = readRelocations(reader, headers, reader.u16(16) === ET.REL);
  const sections = headers.map((header) => ({ ...header, relocations: relocations.get(header.index) ?? [] }));
  return {
    type: reader.u16(16),
    machine: reader.u16(18),
    flags: reader.u32(48),
    sections,
    symbols: readSymbols(reader, sections),
  };
}

type Header = Omit<ElfSection, 'relocations'>;

function readSectionHeaders(reader: ByteReader): Header[] {
  const table = reader.size(40, 'e_shoff');
  if (table === 0) return [];
  const entry = reader.u16(58);
  if (entry !== SHDR)
    throw new FormatError('elf-shentsize', `Section headers are ${entry} bytes long, 64 expected`, 58);
  // gABI: when there are too many sections for e_shnum, the null section's sh_size has the number, its sh_link the e_shstrndx
  const count = reader.u16(60) || reader.size(table + 32, 'section count');
  const namesIndex = reader.u16(62) === SHN.XINDEX ? reader.u32(table + 40) : reader.u16(62);
  reader.need(table, count * SHDR);
  if (namesIndex >= count)
    throw new FormatError('elf-shstrndx', `Section names are in section ${namesIndex} of ${count}`, 62);

  const raw = Array.from({ length: count }, (_, index) => {
    const at = table + index * SHDR;
    const type = reader.u32(at + 4);
    const offset = reader.size(at + 24, 'sh_offset');
    const size = reader.size(at + 32, 'sh_size');
    const inFile = type !== SHT.NOBITS && type !== SHT.NULL;
    return {
      index,
      nameOffset: reader.u32(at),
      type,
      flags: reader.size(at + 8, 'sh_flags'),
      address: reader.u64(at + 16),
      offset,
      size,
      link: reader.u32(at + 40),
      info: reader.u32(at + 44),
      addralign: reader.size(at + 48, 'sh_addralign'),
      entsize: reader.size(at + 56, 'sh_entsize'),
      data: inFile ? reader.slice(offset, size) : reader.slice(0, 0),
    };
  });
  const names = new ByteReader(raw[namesIndex]!.data, 'section name table');
  return raw.map(({ nameOffset, ...header }) => {
    if ((header.flags & SHF.COMPRESSED) !== 0 && header.type !== SHT.NULL && (header.flags & SHF.ALLOC) !== 0) {
      throw new FormatError('elf-compressed', 'A loadable section is compressed', header.offset);
    }
    return { ...header, name: count > 1 && names.length > 0 ? nameAt(names, nameOffset) : '' };
  });
}

function nameAt(names: ByteReader, offset: number): string {
  names.need(offset, 0);
  const end = names.bytes.subarray(offset, offset + NAME_LIMIT).indexOf(0);
  if (end < 0) {
    throw new FormatError('elf-name', `${names.what}: no name ends within ${NAME_LIMIT} bytes`, offset);
  }
  return utf8.decode(names.slice(offset, end));
}

function readRelocations(
  reader: ByteReader,
  headers: readonly Header[],
  relocatable: boolean,
): Map<number, ElfRelocation[]> {
  const found = new Map<number, ElfRelocation[]>();
  let total = 0;
  for (const header of headers) {
    if (header.type === SHT.REL) {
      throw new FormatError(
        'elf-rel',
        `Section ${header.name} has relocations without addends (SHT_REL)`,
        header.offset,
      );
    }
    if (header.type !== SHT.RELA) continue;
    const target = headers[header.info];
    if (target === undefined) {
      throw new FormatError(
        'elf-rela-info',
        `${header.name} applies to section ${header.info} of ${headers.length}`,
        header.offset,
      );
    }
    if (header.size % RELA !== 0) {
      throw new FormatError(
        'elf-rela-size',
        `${header.name} is ${header.size} bytes long, not a multiple of 24`,
        header.offset,
      );
    }
    total += header.size;
    // many headers over the same bytes would make a small file cost without end
    if (total > reader.length) {
      throw new FormatError('elf-rela-overlap', `${header.name} overlaps other relocations`, header.offset);
    }
    const list = found.get(header.info) ?? [];
    for (let at = header.offset; at < header.offset + header.size; at += RELA) {
      const relocation = readRelocation(reader, at);
      if (relocatable) checkRelocation(headers, header, target, relocation, at);
      list.push(relocation);
    }
    found.set(header.info, list);
  }
  for (const list of found.values()) list.sort((a, b) => a.offset - b.offset);
  return found;
}

/** In a relocatable file a relocation is about a byte of its section and a symbol of its symbol table. */
function checkRelocation(
  headers: readonly Header[],
  table: Header,
  target: Header,
  { offset, symbol }: ElfRelocation,
  at: number,
): void {
  if (offset >= target.size) {
    throw new FormatError(
      'elf-rela-offset',
      `A relocation is at 0x${offset.toString(16)} of ${target.name}, which has 0x${target.size.toString(16)} bytes`,
      at,
    );
  }
  const symtab = headers[table.link];
  const count = symtab?.type === SHT.SYMTAB ? symtab.size / SYM : 0;
  if (symbol >= Math.max(1, count)) {
    throw new FormatError('elf-rela-symbol', `A relocation of ${target.name} has symbol ${symbol} of ${count}`, at);
  }
}

function readRelocation(reader: ByteReader, at: number): ElfRelocation {
  const addend = Number(reader.i64(at + 16));
  if (!Number.isSafeInteger(addend)) throw new FormatError('elf-addend', `A relocation's addend is ${addend}`, at + 16);
  return { offset: reader.size(at, 'r_offset'), type: reader.u32(at + 8), symbol: reader.u32(at + 12), addend };
}

function readSymbols(reader: ByteReader, sections: readonly ElfSection[]): ElfSymbol[] {
  const table = sections.find((section) => section.type === SHT.SYMTAB);
  if (table === undefined) return [];
  const strings = sections[table.link];
  if (strings === undefined || strings.type !== SHT.STRTAB) {
    throw new FormatError(
      'elf-strtab',
      `The symbol table's names are in section ${table.link}, which is no string table`,
      table.offset,
    );
  }
  if (table.size % SYM !== 0) {
    throw new FormatError(
      'elf-symtab-size',
      `The symbol table is ${table.size} bytes long, not a multiple of 24`,
      table.offset,
    );
  }
  const extended = sections.find((section) => section.type === SHT.SYMTAB_SHNDX && section.link === table.index);
  const wide = extended === undefined ? undefined : new ByteReader(extended.data, 'extended section numbers');
  const names = new ByteReader(strings.data, 'symbol name table');
  return Array.from({ length: table.size / SYM }, (_, index) => {
    const at = table.offset + index * SYM;
    const info = reader.u8(at + 4);
    const shndx = reader.u16(at + 6);
    const special = shndx >= SHN.LORESERVE && shndx !== SHN.XINDEX ? shndx : undefined;
    const section =
      special !== undefined ? 0 : shndx === SHN.XINDEX && wide !== undefined ? wide.u32(index * 4) : shndx;
    if (section >= sections.length) {
      throw new FormatError('elf-st-shndx', `Symbol ${index} is in section ${section} of ${sections.length}`, at + 6);
    }
    return {
      index,
      name: nameAt(names, reader.u32(at)),
      value: reader.u64(at + 8),
      size: reader.size(at + 16, 'st_size'),
      binding: info >> 4,
      type: info & 0xf,
      other: reader.u8(at + 5),
      section,
      ...(special === undefined ? {} : { special }),
    };
  });
}

/** The first section of that name, or undefined. */
export function sectionNamed(file: ElfFile, name: string): ElfSection | undefined {
  return file.sections.find((section) => section.name === name);
}
