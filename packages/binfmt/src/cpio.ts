/**
 * cpio archives in the "newc" form, which the kernel unpacks as its initramfs.
 * Specified in the kernel's Documentation/driver-api/early-userspace/buffer-format.rst and in cpio(5).
 */
import { ByteReader } from './bytes.ts';
import { FormatError } from './format-error.ts';

/** One member; `path` has no leading slash. Permissions are the low twelve bits of a mode. */
export type CpioEntry = { readonly path: string; readonly permissions: number } & (
  | { readonly kind: 'file'; readonly data: Uint8Array }
  | { readonly kind: 'dir' }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'char' | 'block'; readonly major: number; readonly minor: number }
);

const magic = '070701';
const headerSize = 110;
const trailer = 'TRAILER!!!';
/** The file type bits of st_mode, inode(7). */
const typeBits = { file: 0o100000, dir: 0o040000, symlink: 0o120000, char: 0o020000, block: 0o060000 } as const;
const typeMask = 0o170000;
/** The kernel (init/initramfs.c) skips members with longer names without a word. */
const longestPath = 4095;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Writes an archive: members in the order given, owner root, times 0, so that equal input gives equal bytes.
 * Folders must come before what they hold. Throws FormatError for what the format cannot hold.
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array<ArrayBuffer> {
  const members = entries.map((entry, index) => member(entry, index + 1));
  members.push({ header: header({ ino: 0, mode: 0, links: 1, size: 0, name: trailer }), data: empty });
  const total = members.reduce((sum, { header, data }) => sum + header.length + align(data.length), 0);
  const out = new Uint8Array(total);
  let offset = 0;
  for (const { header, data } of members) {
    out.set(header, offset);
    out.set(data, offset + header.length);
    offset += header.length + align(data.length);
  }
  return out;
}

/** Reads what `writeCpio` and `cpio -H newc` write. Throws FormatError with the offset of what does not follow the format. */
export function readCpio(bytes: Uint8Array): CpioEntry[] {
  const reader = new ByteReader(bytes, 'cpio archive');
  const entries: CpioEntry[] = [];
  for (let offset = 0; ; ) {
    const found = decoder.decode(reader.slice(offset, magic.length));
    if (found !== magic) {
      throw new FormatError(
        'cpio-magic',
        `cpio archive: a member begins with ${JSON.stringify(found)}, not ${magic}`,
        offset,
      );
    }
    const field = (index: number) => hexField(reader, offset + 6 + 8 * index);
    const mode = field(1);
    const size = field(6);
    const nameSize = field(11);
    if (nameSize === 0) throw new FormatError('cpio-name', 'cpio archive: a member without a name', offset);
    const path = decoder.decode(reader.slice(offset + headerSize, nameSize - 1));
    const data = reader.slice(offset + align(headerSize + nameSize), size);
    if (path === trailer) return entries;
    entries.push(entryOf(path, mode, data, field(9), field(10), offset));
    offset += align(headerSize + nameSize) + align(size);
  }
}

const empty = new Uint8Array(0);

function member(entry: CpioEntry, ino: number): { header: Uint8Array; data: Uint8Array } {
  const { path } = entry;
  if (
    path === '' ||
    path === trailer ||
    path.startsWith('/') ||
    path.includes('\0') ||
    encoder.encode(path).length > longestPath
  ) {
    throw new FormatError('cpio-name', `cpio archive: ${JSON.stringify(path.slice(0, 100))} cannot be a member's name`);
  }
  const data = entry.kind === 'file' ? entry.data : entry.kind === 'symlink' ? encoder.encode(entry.target) : empty;
  if (data.length > 0xffff_ffff) {
    throw new FormatError('cpio-size', `cpio archive: ${path} has ${data.length} bytes, more than the format can hold`);
  }
  const device = entry.kind === 'char' || entry.kind === 'block' ? { major: entry.major, minor: entry.minor } : {};
  const mode = typeBits[entry.kind] | (entry.permissions & 0o7777);
  return {
    header: header({ ino, mode, links: entry.kind === 'dir' ? 2 : 1, size: data.length, name: path, ...device }),
    data,
  };
}

interface Header {
  readonly ino: number;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  readonly name: string;
  readonly major?: number;
  readonly minor?: number;
}

/** The header and the name, padded to a multiple of four bytes. */
function header({ ino, mode, links, size, name, major = 0, minor = 0 }: Header): Uint8Array {
  const nameBytes = encoder.encode(name);
  const fields = [ino, mode, 0, 0, links, 0, size, 0, 0, major, minor, nameBytes.length + 1, 0];
  const out = new Uint8Array(align(headerSize + nameBytes.length + 1));
  out.set(encoder.encode(magic + fields.map((value) => value.toString(16).padStart(8, '0')).join('')));
  out.set(nameBytes, headerSize);
  return out;
}

function entryOf(
  path: string,
  mode: number,
  data: Uint8Array,
  major: number,
  minor: number,
  offset: number,
): CpioEntry {
  const permissions = mode & 0o7777;
  switch (mode & typeMask) {
    case typeBits.file:
      return { path, permissions, kind: 'file', data };
    case typeBits.dir:
      return { path, permissions, kind: 'dir' };
    case typeBits.symlink:
      return { path, permissions, kind: 'symlink', target: decoder.decode(data) };
    case typeBits.char:
      return { path, permissions, kind: 'char', major, minor };
    case typeBits.block:
      return { path, permissions, kind: 'block', major, minor };
    default:
      throw new FormatError('cpio-mode', `cpio archive: ${path} has the unknown mode 0${mode.toString(8)}`, offset);
  }
}

function hexField(reader: ByteReader, offset: number): number {
  const text = decoder.decode(reader.slice(offset, 8));
  if (!/^[0-9a-fA-F]{8}$/.test(text)) {
    throw new FormatError(
      'cpio-field',
      `cpio archive: ${JSON.stringify(text)} is not a field of eight hex digits`,
      offset,
    );
  }
  return Number.parseInt(text, 16);
}

function align(size: number): number {
  return Math.ceil(size / 4) * 4;
}
