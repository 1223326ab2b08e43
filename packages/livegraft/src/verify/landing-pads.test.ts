import type { Btf } from '@livegraft/binfmt/btf';
import { describe, expect, test } from 'vitest';
import { ABS64, objectBytes, PC32, PLT32, type SectionLines } from '../objdiff/testing/object.ts';
import type { ShippedKernel } from './kernel.ts';
import { checkLandingPads } from './landing-pads.ts';
import { LivepatchModule } from './module.ts';

const endbr = [0xf3, 0x0f, 0x1e, 0xfa];
const zeros = (n: number): number[] => Array.from({ length: n }, () => 0);

/** A kernel that seals what lies at 0x1000, and exports `sealed` there and `open` at 0x2000. */
const seals = { address: 0x3000n, data: Uint8Array.from([0x00, 0xe0, 0xff, 0xff]) };
const kernelOf = (ibt: boolean): ShippedKernel => {
  const places: Record<string, bigint> = { sealed: 0x1000n, open: 0x2000n };
  const stub = {
    image: { section: () => (ibt ? seals : undefined) },
    exported: (name: string) => (places[name] === undefined ? undefined : { object: 'vmlinux', address: places[name] }),
    describe: ({ address }: { address: bigint }) => `0x${address.toString(16)}`,
  };
  return stub as unknown as ShippedKernel;
};

const code = (name: string, more: Partial<SectionLines> = {}): SectionLines => ({
  flags: 'x',
  bytes: [...endbr, 0xc3],
  symbols: [{ name }],
  ...more,
});
const pointer = (name: string, at = 0): SectionLines => ({
  flags: 'w',
  bytes: zeros(at + 8),
  relocations: [[at, ABS64, name, 0]],
});

function problems(sections: Record<string, SectionLines>, ibt = true): string[] {
  const kernel = kernelOf(ibt);
  const module = new LivepatchModule(objectBytes(sections), kernel);
  const section = module.section('.data.klp');
  const functions =
    section === undefined
      ? []
      : [{ object: 'vmlinux', oldName: 'f', oldPosition: 0, section, offset: 0, pointer: { section, offset: 0 } }];
  const input = { module, kernel, functions, btf: undefined as unknown as Btf, vermagic: '', objects: [] };
  return checkLandingPads(input).map(({ at, what }) => `${at}: ${what}`);
}

describe('checkLandingPads', () => {
  test('an address of the kernel that is sealed, in data and in a register; near misses: one that is not, a call', () => {
    const lea = {
      bytes: [...endbr, 0x48, 0x8d, 0x3d, ...zeros(4), 0xc3],
      relocations: [[7, PC32, 'sealed', -4]],
    } as const;
    const call = { bytes: [...endbr, 0xe8, ...zeros(4), 0xc3], relocations: [[5, PLT32, 'sealed', -4]] } as const;
    expect(problems({ '.text': code('f', lea) })).toEqual([
      'f+0x7 of the module: the address of 0x1000, whose landing pad the kernel seals',
    ]);
    expect(problems({ '.data': pointer('sealed') })).toHaveLength(1);
    expect(problems({ '.data': pointer('open'), '.text': code('f', call) })).toEqual([]);
    expect(problems({ '.data': pointer('sealed') }, false)).toEqual([]);
  });

  test('an address of the module without a landing pad, or with one that the module seals', () => {
    const bare = code('f', { bytes: [0xc3] });
    expect(problems({ '.text': bare, '.data': pointer('f') })).toEqual([
      '.data+0x0 of the module: the address of f+0x0 of the module, which does not begin with endbr64',
    ]);
    const list: SectionLines = { bytes: zeros(4), relocations: [[0, PC32, 'f', 0]] };
    expect(problems({ '.text': code('f'), '.data': pointer('f'), '.ibt_endbr_seal': list })).toEqual([
      '.data+0x0 of the module: the address of f+0x0 of the module, whose landing pad the module seals',
    ]);
    expect(problems({ '.text': code('f'), '.ibt_endbr_seal': list })).toEqual([]);
    expect(problems({ '.text': bare, '.ibt_endbr_seal': list })).toEqual([
      '.ibt_endbr_seal+0x0: f+0x0 of the module, where there is no endbr64',
    ]);
  });

  test('what ftrace goes to by a return needs none, and tables about code take no address', () => {
    const bare = code('f', { bytes: [0xc3] });
    expect(problems({ '.text': bare, '.data.klp': pointer('f') })).toEqual([]);
    expect(problems({ '.text': bare, __mcount_loc: pointer('f') })).toEqual([]);
  });
});
