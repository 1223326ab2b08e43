/** What a module's file says of it, read from its headers alone: a kernel has 4,000 modules, most of whose bytes do not matter here. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ByteReader } from '@livegraft/binfmt/bytes';
import { SHT } from '@livegraft/binfmt/elf/constants';
import { FormatError } from '@livegraft/binfmt/format-error';
import { readModinfo } from '@livegraft/binfmt/modinfo';
import { buildIdOf, readNotes } from '@livegraft/binfmt/notes';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { moduleCorrupt } from '../diagnostics/kernel.ts';
import type { ModuleInfo } from './types.ts';

/**
 * Reads a plain .ko.
 * @param file where it is
 * @param path what `ModuleInfo.path` shall be
 * @throws LivegraftError `module-corrupt`
 */
export function readModuleInfo(file: string, path: string): ModuleInfo {
  const fd = openSync(file, 'r');
  try {
    return infoOf(sectionsOf(fd), path);
  } catch (error) {
    if (error instanceof FormatError) throw new LivegraftError(moduleCorrupt({ path: file, problem: error.message }));
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Of a section; without a limit, thousands of headers that share one long name would cost without end. */
const longestName = 4096;

interface Section {
  readonly name: string;
  readonly type: number;
  readonly read: () => Uint8Array;
}

function infoOf(sections: readonly Section[], path: string): ModuleInfo {
  const modinfo = sections.find(({ name }) => name === '.modinfo');
  if (modinfo === undefined) throw new FormatError('module-modinfo', 'It has no .modinfo section');
  const entries = readModinfo(modinfo.read());
  const all = (key: string): string[] => entries.filter((entry) => entry.key === key).map(({ value }) => value);
  const name = all('name')[0];
  if (name === undefined) throw new FormatError('module-name', 'Its .modinfo has no name');
  const notes = sections.find((section) => section.name === '.note.gnu.build-id');
  return {
    name: name.replaceAll('-', '_'),
    path,
    depends: words(all('depends'), /,/),
    softdepsPre: all('softdep').flatMap((text) => softdepPre(text)),
    aliases: all('alias'),
    vermagic: (all('vermagic')[0] ?? '').trimEnd(),
    buildId: (notes && buildIdOf(readNotes(notes.read()))) ?? '',
  };
}

/** `pre: a b post: c` → a, b (modprobe.d(5), softdep). */
function softdepPre(text: string): string[] {
  let pre = false;
  const names: string[] = [];
  for (const word of words([text], /\s+/)) {
    if (word === 'pre:' || word === 'post:') pre = word === 'pre:';
    else if (pre) names.push(word);
  }
  return names;
}

function words(values: readonly string[], separator: RegExp): string[] {
  return values.flatMap((value) => value.split(separator)).filter((word) => word !== '');
}

/** Section headers of an open ELF64 file; content is read when asked for. Layout as in binfmt's elf/read.ts. */
export function sectionsOf(fd: number): Section[] {
  const fileSize = fstatSync(fd).size;
  const read = (offset: number, size: number, what: string): Uint8Array => {
    if (offset + size > fileSize)
      throw new FormatError(
        'truncated',
        `It ends too early: ${what} is at 0x${offset.toString(16)}, ${size} bytes long`,
        offset,
      );
    const bytes = new Uint8Array(size);
    if (readSync(fd, bytes, 0, size, offset) !== size)
      throw new FormatError('truncated', `It ends too early in ${what}`, offset);
    return bytes;
  };
  const header = new ByteReader(read(0, Math.min(64, fileSize), 'the ELF header'), 'ELF header');
  if (header.length < 64 || header.u32(0) !== 0x464c457f || header.u8(4) !== 2 || header.u8(5) !== 1) {
    throw new FormatError('elf-magic', 'Not a 64-bit little-endian ELF file', 0);
  }
  const count = header.u16(60);
  const table = new ByteReader(read(header.size(40, 'e_shoff'), count * 64, 'the section table'), 'section table');
  const raw = Array.from({ length: count }, (_, i) => ({
    nameOffset: table.u32(i * 64),
    type: table.u32(i * 64 + 4),
    offset: table.size(i * 64 + 24, 'sh_offset'),
    size: table.size(i * 64 + 32, 'sh_size'),
  }));
  const strings = raw[header.u16(62)];
  if (strings === undefined) throw new FormatError('elf-shstrndx', 'It has no section names', 62);
  const names = new ByteReader(read(strings.offset, strings.size, 'the section names'), 'section names');
  return raw.map(({ nameOffset, type, offset, size }) => {
    const name = type === SHT.NULL ? '' : names.string(nameOffset, longestName);
    return { name, type, read: () => read(offset, size, name) };
  });
}
