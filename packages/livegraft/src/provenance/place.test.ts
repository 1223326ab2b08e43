import { describe, expect, test } from 'vitest';
import { cutObject } from '../objdiff/atoms.ts';
import { object, PC32, PLT32, type SectionLines, text } from '../objdiff/testing/object.ts';
import { type Placement, placeUnit } from './place.ts';
import { positionOf, shippedModule } from './shipped.ts';

type Lines = Readonly<Record<string, SectionLines>>;
const place = (unit: Lines, shipped: Lines): Placement =>
  placeUnit(cutObject(object(unit)), shippedModule('m', object(shipped)));

/** f: load a variable, call; g: nothing. */
const code = [0x8b, 0x05, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3];
const unit: Lines = {
  '.text': {
    flags: 'x',
    bytes: [...code, 0x90, 0xc3],
    symbols: [
      { name: 'f', size: 12, bind: 'global' },
      { name: 'g', at: 12 },
    ],
    relocations: [
      [2, PC32, '.data', 4 - 4],
      [7, PLT32, 'helper', -4],
    ],
  },
  '.data': {
    flags: 'w',
    bytes: [1, 2, 3, 4, 5, 6, 7, 8],
    symbols: [
      { name: 'a', size: 4, kind: 'object' },
      { name: 'b', at: 4, kind: 'object' },
    ],
  },
};
/** The unit behind another one, as `ld -r` puts it. */
const shipped: Lines = {
  '.text': {
    flags: 'x',
    bytes: [0x90, 0x90, 0x90, 0xc3, ...unit['.text']!.bytes!],
    symbols: [
      { name: 'g', size: 4 },
      { name: 'f', at: 4, size: 12, bind: 'global' },
      { name: 'g', at: 16 },
    ],
    relocations: [
      [6, PC32, '.data', 16 + 4 - 4],
      [11, PLT32, 'helper', -4],
    ],
  },
  '.data': {
    flags: 'w',
    bytes: [9, 9, 9, 9, 0, 0, 0, 0, 9, 9, 9, 9, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
    symbols: [
      { name: 'a', size: 4, kind: 'object' },
      { name: 'a', at: 16, size: 4, kind: 'object' },
      { name: 'b', at: 20, kind: 'object' },
    ],
  },
};
const withText = (more: Partial<SectionLines>): Lines => ({ ...shipped, '.text': { ...shipped['.text'], ...more } });

describe('placeUnit', () => {
  test('equal code at its place, and by it the addresses of the unit’s variables', () => {
    const { functions, addressOf } = place(unit, shipped);
    const object_ = shippedModule('m', object(shipped));
    expect([...functions.values()].map(({ name, state }) => [name, state])).toEqual([
      ['f', 'equal'],
      ['g', 'equal'],
    ]);
    expect(positionOf(object_, 'g', addressOf('g')!)).toBe(2);
    expect(positionOf(object_, 'a', addressOf('a')!)).toBe(2);
    expect(positionOf(object_, 'b', addressOf('b')!)).toBe(1);
    expect(addressOf('nobody')).toBeUndefined();
  });

  test('the first byte that differs, with both sides', () => {
    const bytes = [...shipped['.text']!.bytes!];
    bytes[4 + 11] = 0xcc;
    expect(place(unit, withText({ bytes })).functions.get('f')).toEqual({
      state: 'bytes-differ',
      name: 'f',
      offset: 11,
      rebuilt: 'c3',
      shipped: 'cc',
    });
  });

  test('a call of something else', () => {
    const relocations = [[6, PC32, '.data', 16] as const, [11, PLT32, 'other_helper', -4] as const];
    expect(place(unit, withText({ relocations })).functions.get('f')).toEqual({
      state: 'reference-differs',
      name: 'f',
      offset: 7,
      rebuilt: 'helper',
      shipped: 'other_helper',
    });
  });

  test('another string', () => {
    const literal = (value: string): Lines => ({
      '.text': {
        flags: 'x',
        bytes: [0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0xc3],
        symbols: [{ name: 'f' }],
        relocations: [[3, PC32, '.rodata.str1.1', -4]],
      },
      '.rodata.str1.1': { flags: 'ms', entsize: 1, bytes: text(value) },
    });
    expect(place(literal('yes'), literal('yes')).functions.get('f')).toMatchObject({ state: 'equal' });
    expect(place(literal('yes'), literal('no!')).functions.get('f')).toMatchObject({
      state: 'reference-differs',
      rebuilt: '"yes"',
      shipped: '"no!"',
    });
  });

  test('a variable at another place than the rest of the unit says', () => {
    const two = (second: number, sum: number): Lines => ({
      '.text': {
        flags: 'x',
        bytes: [...code, ...code, ...code],
        symbols: [
          { name: 'f1', size: 12 },
          { name: 'f2', at: 12, size: 12 },
          { name: 'f3', at: 24 },
        ],
        relocations: [0, 1, 2].flatMap((i) => [
          [12 * i + 2, PC32, '.data', (i === 1 ? second : 0) + sum - 4] as const,
          [12 * i + 7, PLT32, 'helper', -4] as const,
        ]),
      },
      '.data': shipped['.data']!,
    });
    const { functions } = place(two(0, 0), two(4, 16));
    expect([...functions.values()].map(({ name, state }) => [name, state])).toEqual([
      ['f1', 'equal'],
      ['f2', 'reference-differs'],
      ['f3', 'equal'],
    ]);
  });

  test('a weak function that another unit’s took the place of', () => {
    const weak: Lines = {
      '.text': {
        flags: 'x',
        bytes: [0x90, 0xc3, 0xcc, 0xc3],
        symbols: [
          { name: 'arch_f', size: 2, bind: 'weak' },
          { name: 'g', at: 2, size: 2 },
        ],
      },
    };
    const linked: Lines = {
      '.text': {
        flags: 'x',
        bytes: [...weak['.text']!.bytes!, 0xb8, 1, 0, 0, 0, 0xc3],
        symbols: [
          { name: 'g', at: 2, size: 2 },
          { name: 'arch_f', at: 4, bind: 'global' },
        ],
      },
    };
    const { functions } = place(weak, linked);
    expect(functions.get('g')).toMatchObject({ state: 'equal' });
    expect(functions.get('arch_f')).toEqual({ state: 'overridden', name: 'arch_f' });
  });

  test('a function that was not shipped', () => {
    const symbols = [{ name: 'f', at: 4, size: 12, bind: 'global' as const }];
    expect(place(unit, withText({ symbols })).functions.get('g')).toEqual({ state: 'absent', name: 'g' });
  });

  test('two of one name say nothing about each other’s place', () => {
    const twins: Lines = {
      '.text': {
        flags: 'x',
        bytes: [0xc3, 0x90, 0xc3, 0xcc, 0xc3],
        symbols: [
          { name: 'f', size: 1 },
          { name: 'f', at: 1, size: 2 },
          { name: 'g', at: 3, size: 2 },
        ],
      },
    };
    const { functions } = place(twins, twins);
    expect([...functions.values()].map(({ name, state }) => [name, state])).toEqual([
      ['f', 'absent'],
      ['g', 'equal'],
    ]);
  });
});

describe('shippedModule', () => {
  test('symbols of init sections are gone once the module is live', () => {
    const module = shippedModule(
      'm',
      object({
        '.text': {
          flags: 'x',
          bytes: [0xc3, 0xc3],
          symbols: [
            { name: 'f', size: 1 },
            { name: 'only', at: 1 },
          ],
        },
        '.init.text': {
          flags: 'x',
          bytes: [0xc3, 0xc3],
          symbols: [
            { name: 'f', size: 1 },
            { name: 'start', at: 1 },
          ],
        },
        __mcount_loc: { bytes: [0, 0, 0, 0, 0, 0, 0, 0], relocations: [[0, 1, '.text', 1]] },
      }),
    );
    expect(module.named('start')).toEqual([]);
    expect(module.named('f')).toHaveLength(1);
    expect([module.unstable('f'), module.unstable('only')]).toEqual([true, false]);
    expect(module.traceable(module.named('only')[0]!.address)).toBe(true);
    expect(module.bytes(module.named('only')[0]!.address, 2)).toBeUndefined();
  });

  test('what is no module is refused', () => {
    const linked = { ...object(shipped), type: 2 };
    expect(() => shippedModule('m', linked)).toThrow(expect.objectContaining({ code: 'module-type' }));
    const far = object({ '.bss': { flags: 'w', size: 2 ** 41, symbols: [{ name: 'x', kind: 'object' }] } });
    expect(() => shippedModule('m', far)).toThrow(expect.objectContaining({ code: 'module-symbol' }));
  });
});
