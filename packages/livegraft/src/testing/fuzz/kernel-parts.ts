/** Parts of a kernel to start from: symbol tables, images, notes, types, boot images, archives; small, and made here. */
import { writeCpio } from '@livegraft/binfmt/cpio';
import { SHT } from '@livegraft/binfmt/elf/constants';
import { buildKallsyms, type TestLayout } from '@livegraft/binfmt/kallsyms/build';
import { buildElf } from '../../kernel/testing.ts';
import { text, u32 } from '../../objdiff/testing/object.ts';

const TEXT = 0xffffffff81000000n;
const RODATA = 0xffffffff82000000n;
const DATA = 0xffffffff83000000n;

function symbolTable(layout: TestLayout): Uint8Array {
  const names = [
    ['T', '_text', TEXT],
    ['t', 'f', TEXT],
    ['t', 'g', TEXT + 0x20n],
    ['T', '_etext', TEXT + 0x40n],
    ['R', '__start_rodata', RODATA],
    ['D', '_sdata', DATA],
    ['d', '__start_mcount_loc', DATA + 0x10n],
    ['d', '__stop_mcount_loc', DATA + 0x30n],
    ['D', 'linux_banner', DATA + 0x40n],
    ['B', '__bss_start', DATA + 0x1000n],
  ] as const;
  return buildKallsyms(
    names.map(([type, name, address]) => ({ type, name, address })),
    layout,
    RODATA,
  );
}

export function symbolTables(): Uint8Array[] {
  return (['absolute', 'offsets-first', 'offsets-first-seqs', 'offsets-last', 'relative'] as const).map(symbolTable);
}

/** Images of kernels, as they come out of a boot image. */
export function images(): Uint8Array[] {
  const data = new Uint8Array(0x100);
  data.set(new Uint8Array(BigUint64Array.of(TEXT, TEXT + 0x20n).buffer), 0x10);
  data.set(Buffer.from('Linux version 6.1.0-55-amd64 (a@b) (gcc-12 12, GNU ld 2.40) #1 SMP\n\0'), 0x40);
  const [types] = typeInformation();
  return (['offsets-first-seqs', 'offsets-last'] as const).map((layout) =>
    buildElf([
      { name: '.text', data: Uint8Array.from([0xe8, 1, 2, 3, 4, ...Array<number>(0x3b).fill(0)]), address: TEXT },
      { name: '.rodata', data: symbolTable(layout), address: RODATA },
      { name: '.notes', data: notes()[0]!, address: RODATA + 0x10000n },
      { name: '.BTF', data: types!, address: RODATA + 0x20000n },
      { name: '.data', data, address: DATA },
      { name: '.bss', data: new Uint8Array(0), size: 0x100, type: SHT.NOBITS, address: DATA + 0x1000n },
    ]),
  );
}

export function notes(): Uint8Array[] {
  return [
    Uint8Array.from([...u32(4), ...u32(4), ...u32(3), ...text('GNU'), 0xab, 0xcd, 1, 2]),
    Uint8Array.from([
      ...u32(6),
      ...u32(5),
      ...u32(1),
      ...text('Linux'),
      0,
      0,
      1,
      2,
      3,
      4,
      5,
      0,
      0,
      0,
      ...u32(4),
      ...u32(4),
      ...u32(3),
      ...text('GNU'),
      1,
      2,
      3,
      4,
    ]),
  ];
}

/** BTF: int, struct { int a; }, int *, int f(int x). */
export function typeInformation(): Uint8Array[] {
  const strings = text('\0int\0s\0a\0f\0x');
  const kind = (value: number, count: number): number[] => u32((value << 24) | count);
  const types = [
    [...u32(1), ...kind(1, 0), ...u32(4), ...u32(0x01000020)],
    [...u32(5), ...kind(4, 1), ...u32(4), ...u32(7), ...u32(1), ...u32(0)],
    [...u32(0), ...kind(2, 0), ...u32(1)],
    [...u32(0), ...kind(13, 1), ...u32(1), ...u32(11), ...u32(1)],
    [...u32(9), ...kind(12, 0), ...u32(4)],
    [...u32(0), ...kind(3, 0), ...u32(0), ...u32(1), ...u32(1), ...u32(8)],
  ].flat();
  return [
    Uint8Array.from([
      0x9f,
      0xeb,
      1,
      0,
      ...u32(24),
      ...u32(0),
      ...u32(types.length),
      ...u32(types.length),
      ...u32(strings.length),
      ...types,
      ...strings,
    ]),
  ];
}

export function bootImages(): Uint8Array[] {
  const image = new Uint8Array(0x200 * 5 + 64);
  const view = new DataView(image.buffer);
  image[0x1f1] = 1;
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint16(0x20e, 0x100, true);
  image.set(text('6.1.0-55-amd64 (a@b) #1'), 0x300);
  view.setUint32(0x248, 0x10, true);
  view.setUint32(0x24c, 32, true);
  image.set([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], 0x410);
  return [image];
}

export function archives(): Uint8Array[] {
  return [
    writeCpio([
      { kind: 'dir', path: 'bin', permissions: 0o755 },
      { kind: 'file', path: 'bin/sh', permissions: 0o755, data: Uint8Array.from([1, 2, 3, 4, 5]) },
      { kind: 'symlink', path: 'init', permissions: 0o777, target: 'bin/sh' },
      { kind: 'char', path: 'console', permissions: 0o600, major: 5, minor: 1 },
    ]),
  ];
}
