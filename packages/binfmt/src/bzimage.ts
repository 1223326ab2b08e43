/**
 * Finds the kernel inside an x86 boot image (vmlinuz). Layout: the Linux/x86 boot protocol,
 * Documentation/arch/x86/boot.rst; only the header's own fields are followed, nothing is searched for.
 *
 * ```
 *  0x000  boot sector, 0x1f1 = number of setup sectors (0 means 4)
 *  0x202  "HdrS", 0x206 = protocol version, 0x20e = where the version string is, less 0x200
 *  0x248  where the payload is, from the start of the protected-mode code; 0x24c its length (protocol 2.08)
 *  (setup sectors + 1) * 512   protected-mode code: the decompressor, with the payload in it
 * ```
 * The payload is vmlinux as one compression program wrote it. Except for gzip, whose format ends with the size anyway, the
 * kernel's build appends the unpacked size as four bytes (scripts/Makefile.lib, size_append).
 */
import { ByteReader } from './bytes.ts';
import { FormatError } from './format-error.ts';

export type Compression = 'xz' | 'zstd' | 'gzip' | 'lz4';

export interface BzImage {
  /** `uname -r`, the builder and the build: `6.1.0-55-amd64 (debian-kernel@…) #1 SMP … Debian 6.1.192-1 (2026-11-14)`. */
  readonly version: string;
  /** Boot protocol, e.g. 0x20f. */
  readonly protocol: number;
  readonly compression: Compression;
  /** What the decompression program gets: the payload without the appended size. A view into the input. */
  readonly compressed: Uint8Array;
  /** Size of vmlinux after decompression, bytes (modulo 2^32 in theory; kernels are smaller). */
  readonly unpackedSize: number;
}

const SECTOR = 512;
const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['gzip', [0x1f, 0x8b]],
  // the legacy frame format, which the kernel's build uses (lz4 -l)
  ['lz4', [0x02, 0x21, 0x4c, 0x18]],
];

/** Which program made these bytes; undefined when none of the known ones. */
export function compressionOf(bytes: Uint8Array): Compression | undefined {
  return MAGIC.find(([, magic]) => magic.every((byte, i) => bytes[i] === byte))?.[0];
}

/** Reads the boot header and cuts out the payload. Throws FormatError (`bzimage-*`, `truncated`). */
export function readBzImage(bytes: Uint8Array): BzImage {
  const reader = new ByteReader(bytes, 'boot image');
  if (reader.u32(0x202) !== 0x53726448) {
    throw new FormatError('bzimage-magic', 'Not an x86 boot image: "HdrS" is missing', 0x202);
  }
  const protocol = reader.u16(0x206);
  if (protocol < 0x208) {
    throw new FormatError(
      'bzimage-protocol',
      `Boot protocol 0x${protocol.toString(16)} has no payload field; 0x208 is needed`,
      0x206,
    );
  }
  const setupSectors = reader.u8(0x1f1) || 4;
  const start = (setupSectors + 1) * SECTOR + reader.u32(0x248);
  const payload = reader.slice(start, reader.u32(0x24c));
  const compression = compressionOf(payload);
  if (compression === undefined) {
    const head = [...payload.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw new FormatError(
      'bzimage-compression',
      `The payload begins with ${head || 'nothing'}; xz, zstd, gzip or lz4 expected`,
      start,
    );
  }
  const unpackedSize = reader.u32(start + payload.length - 4);
  return {
    version: reader.string(0x200 + reader.u16(0x20e)),
    protocol,
    compression,
    compressed: compression === 'gzip' ? payload : payload.subarray(0, -4),
    unpackedSize,
  };
}
