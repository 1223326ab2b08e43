import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compressionOf, readBzImage } from './bzimage.ts';
import { FormatError } from './format-error.ts';

const MAGIC = {
  xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
  gzip: [0x1f, 0x8b, 0x08],
  lz4: [0x02, 0x21, 0x4c, 0x18],
} as const;

/** A boot image with one setup sector; the payload begins 0x20 bytes into the protected-mode code. */
function bootImage(magic: readonly number[], body: readonly number[], unpackedSize: number): Uint8Array {
  const payload = [...magic, ...body, ...new Uint8Array(Uint32Array.of(unpackedSize).buffer)];
  const bytes = new Uint8Array(1024 + 0x20 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 1;
  bytes.set(Buffer.from('HdrS'), 0x202);
  view.setUint16(0x206, 0x20f, true);
  view.setUint16(0x20e, 0x100, true);
  bytes.set(Buffer.from('6.1.0-55-amd64 (someone@somewhere) #1 SMP\0'), 0x300);
  view.setUint32(0x248, 0x20, true);
  view.setUint32(0x24c, payload.length, true);
  bytes.set(payload, 1024 + 0x20);
  return bytes;
}

describe('readBzImage', () => {
  test.each(['xz', 'zstd', 'gzip', 'lz4'] as const)('payload of %s', (compression) => {
    const image = readBzImage(bootImage(MAGIC[compression], [1, 2, 3], 65906612));
    expect(image).toMatchObject({ compression, protocol: 0x20f, unpackedSize: 65906612 });
    expect(image.version).toBe('6.1.0-55-amd64 (someone@somewhere) #1 SMP');
    // gzip ends with the size by itself; for the others the kernel's build appended it
    expect(image.compressed).toHaveLength(MAGIC[compression].length + 3 + (compression === 'gzip' ? 4 : 0));
  });

  test('what is no boot image, too old, or of unknown compression is named', () => {
    const good = bootImage(MAGIC.xz, [], 0);
    const old = Uint8Array.from(good);
    old[0x206] = 0x07;
    expect(() => readBzImage(new Uint8Array(4096))).toThrow(expect.objectContaining({ code: 'bzimage-magic' }));
    expect(() => readBzImage(old)).toThrow(/Boot protocol 0x207 has no payload field/);
    expect(() => readBzImage(bootImage([0x42, 0x5a, 0x68], [], 0))).toThrow(/begins with 42 5a 68/);
  });

  test('cut anywhere: a FormatError', () => {
    const bytes = bootImage(MAGIC.zstd, [9, 9, 9], 7);
    for (let length = 0; length < bytes.length; length++)
      expect(() => readBzImage(bytes.subarray(0, length))).toThrow(FormatError);
  });

  test('damaged anywhere: a FormatError or an image, nothing else', () => {
    const bytes = bootImage(MAGIC.zstd, [9, 9, 9], 7);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const damaged = Uint8Array.from(bytes);
        damaged[at] = value;
        try {
          readBzImage(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });
});

test('compressionOf knows nothing of other bytes', () => {
  expect(compressionOf(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46))).toBeUndefined();
  expect(compressionOf(new Uint8Array(0))).toBeUndefined();
});
