import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHT } from '@livegraft/binfmt/elf/constants';
import { buildKallsyms } from '@livegraft/binfmt/kallsyms/build';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { extractVmlinux, type KernelImage, parseImage } from './image.ts';
import { buildElf } from './testing.ts';

const TEXT = 0xffffffff81000000n;
const RODATA = 0xffffffff82000000n;
const DATA = 0xffffffff83000000n;
const BANNER = 'Linux version 6.1.0-55-amd64 (a@b) (gcc-12 12, GNU ld 2.40) #1 SMP\n\0';

/** One function with an ftrace entry, one with endbr64 before it, one without. */
function vmlinux(mcountAt = DATA + 0x10n): Uint8Array {
  const text = new Uint8Array(0x40);
  text.set([0xe8, 1, 2, 3, 4], 0);
  text.set([0xf3, 0x0f, 0x1e, 0xfa, 0xe8], 0x10);
  const mcount = BigUint64Array.of(TEXT, 0n, TEXT + 0x14n, TEXT + 0x24n);
  const data = new Uint8Array(0x100);
  data.set(new Uint8Array(mcount.buffer), 0x10);
  data.set(Buffer.from(BANNER), 0x40);
  const symbols = [
    { address: TEXT, type: 'T', name: '_text' },
    { address: TEXT, type: 't', name: 'plain' },
    { address: TEXT + 0x10n, type: 't', name: 'with_endbr' },
    { address: TEXT + 0x20n, type: 't', name: 'untraced' },
    { address: TEXT + 0x40n, type: 'T', name: '_etext' },
    { address: RODATA, type: 'R', name: '__start_rodata' },
    { address: DATA, type: 'D', name: '_sdata' },
    { address: mcountAt, type: 'd', name: '__start_mcount_loc' },
    { address: mcountAt + 0x20n, type: 'd', name: '__stop_mcount_loc' },
    { address: DATA + 0x40n, type: 'D', name: 'linux_banner' },
    { address: DATA + 0x1000n, type: 'B', name: '__bss_start' },
  ].sort((a, b) => Number(a.address - b.address));
  const note = [...new Uint8Array(Uint32Array.of(4, 2, 3).buffer), ...Buffer.from('GNU\0'), 0xab, 0xcd, 0, 0];
  return buildElf([
    { name: '.text', data: text, address: TEXT },
    { name: '.rodata', data: buildKallsyms(symbols, 'offsets-first', RODATA), address: RODATA },
    { name: '.notes', data: Uint8Array.from(note), address: RODATA + 0x10000n },
    { name: '.data', data, address: DATA },
    { name: '.bss', data: new Uint8Array(0), size: 0x100, type: SHT.NOBITS, address: DATA + 0x1000n },
  ]);
}

describe('parseImage', () => {
  // a Buffer out of the middle of a larger one, as readFile may give it
  const parse = (): KernelImage =>
    parseImage(Buffer.concat([new Uint8Array(24), vmlinux()]).subarray(24), 'vmlinux', new Map());

  test('banner, build-id, symbols, sections', () => {
    const image = parse();
    expect(image.banner).toBe(BANNER.slice(0, -2));
    expect(image.buildId).toBe('abcd');
    expect(image.symbols.named('plain')[0]?.address).toBe(TEXT);
    expect(image.sectionAt(DATA + 0x1001n)?.name).toBe('.bss');
    expect(image.sectionAt(DATA - 1n)).toBeUndefined();
  });

  test('code and zeros are read through the sections, never past their end', () => {
    const image = parse();
    expect([...image.read(TEXT + 0x10n, 4)]).toEqual([0xf3, 0x0f, 0x1e, 0xfa]);
    expect([...image.read(DATA + 0x1000n, 2)]).toEqual([0, 0]);
    for (const [address, size] of [
      [TEXT + 0x3en, 4],
      [TEXT - 1n, 1],
      [TEXT, -1],
    ] as const) {
      expect(() => image.read(address, size)).toThrow(expect.objectContaining({ code: 'address-outside' }));
    }
  });

  test('ftrace entries: at the function, after endbr64, and nowhere else', () => {
    const image = parse();
    expect([...image.mcount]).toEqual([TEXT, TEXT + 0x14n, TEXT + 0x24n]);
    expect(image.ftraceEntry(TEXT)).toBe(TEXT);
    expect(image.ftraceEntry(TEXT + 0x10n)).toBe(TEXT + 0x14n);
    expect(image.ftraceEntry(TEXT + 0x20n)).toBeUndefined();
    expect(image.ftraceEntry(TEXT + 0x30n)).toBeUndefined();
  });

  test('ftrace entries where the image has no bytes: image-corrupt, however many are claimed', () => {
    expect(() => parseImage(vmlinux(DATA + 0x1010n), 'vmlinux', new Map())).toThrow(/section without bytes/);
  });

  test('cut anywhere: image-corrupt', () => {
    const bytes = vmlinux();
    for (let length = 0; length < bytes.length; length += 13) {
      expect(() => parseImage(bytes.subarray(0, length), 'vmlinux', new Map())).toThrow(
        expect.objectContaining({ code: 'image-corrupt', exit: 4 }),
      );
    }
  });
});

describe('extractVmlinux', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'livegraft-image-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  function bootImage(payload: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(1024 + payload.length);
    const view = new DataView(bytes.buffer);
    bytes[0x1f1] = 1;
    bytes.set(Buffer.from('HdrS'), 0x202);
    view.setUint16(0x206, 0x20f, true);
    view.setUint16(0x20e, 0x100, true);
    bytes.set(Buffer.from('6.1.0-55-amd64 (a@b) #1\0'), 0x300);
    view.setUint32(0x24c, payload.length, true);
    bytes.set(payload, 1024);
    return bytes;
  }

  const content = Buffer.from('not really a kernel, but compressed like one '.repeat(40));
  const size = new Uint8Array(Uint32Array.of(content.length).buffer);

  test.each([
    ['xz', ['--check=crc32', '--x86', '--lzma2']],
    ['zstd', ['-22', '--ultra']],
    ['lz4', ['-l']],
    ['gzip', ['-n']],
  ] as const)('%s, as the kernel build makes it', async (program, options) => {
    const packed = execFileSync(program, [...options, '-c'], { input: content, stdio: ['pipe', 'pipe', 'ignore'] });
    await writeFile(join(folder, 'vmlinuz'), bootImage(program === 'gzip' ? packed : Buffer.concat([packed, size])));
    expect(await extractVmlinux(join(folder, 'vmlinuz'), join(folder, 'vmlinux'))).toBe('6.1.0-55-amd64 (a@b) #1');
    expect(await readFile(join(folder, 'vmlinux'))).toEqual(content);
  });

  test('damaged data, or another size than announced: image-corrupt, and no vmlinux', async () => {
    const packed = execFileSync('xz', ['--check=crc32', '-c'], { input: content });
    const damaged = Buffer.concat([packed, size]);
    damaged[40] = damaged[40]! ^ 0xff;
    const announced = Buffer.concat([packed, new Uint8Array(Uint32Array.of(5).buffer)]);
    for (const payload of [damaged, announced]) {
      await writeFile(join(folder, 'vmlinuz'), bootImage(payload));
      await expect(extractVmlinux(join(folder, 'vmlinuz'), join(folder, 'vmlinux'))).rejects.toMatchObject({
        code: 'image-corrupt',
      });
      await expect(readFile(join(folder, 'vmlinux'))).rejects.toMatchObject({ code: 'ENOENT' });
    }
  });
});
