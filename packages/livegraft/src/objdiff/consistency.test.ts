import { ET } from '@livegraft/binfmt/elf/constants';
import { describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { cutObject } from './atoms.ts';
import { diffObjects } from './diff.ts';
import { ObjectError } from './object-error.ts';
import { ABS32S, object, PC32, type SectionLines, text } from './testing/object.ts';

const code: SectionLines = { flags: 'x', bytes: [0xc3], symbols: [{ name: 'f' }] };

describe('cutObject refuses', () => {
  test.each([
    ['more empty space than a kernel has', { '.bss': { flags: 'w', size: 2 ** 45 } }, /without content/],
    [
      'a function without bytes',
      { '.bss': { flags: 'w', size: 2 ** 20, symbols: [{ name: 'g' }] } },
      /g is a function/,
    ],
    ['code without bytes', { '.text.g': { flags: 'x', size: 64 } }, /code without bytes/],
    ['characters of 2^40 bytes', { '.rodata.str1.1': { flags: 'ms', entsize: 2 ** 40, bytes: [0] } }, /characters/],
    ['an alignment of 1 MiB', { '.data.a': { flags: 'w', align: 1 << 20, bytes: [0] } }, /alignment is 1048576/],
    ['an alignment that is no power of two', { '.data.a': { flags: 'w', align: 24, bytes: [0] } }, /alignment is 24/],
    [
      'a symbol without a name beyond its section',
      { '.data': { flags: 'w', bytes: [0], symbols: [{ name: '', at: 2 ** 52, size: 0, kind: 'notype' }] } },
      /a symbol at 0x10000000000000 lies outside/,
    ],
    [
      'an addend that leads nowhere',
      { '.text.g': { flags: 'x', bytes: [0xe8, 0, 0, 0, 0], relocations: [[1, PC32, 'h', 2 ** 52]] } },
      /has the addend 4503599627370496/,
    ],
  ] as const)('%s', (_, sections: Readonly<Record<string, SectionLines>>, message) => {
    const unit = object({ '.text': code, ...sections });
    expect(() => cutObject(unit)).toThrow(ObjectError);
    expect(() => cutObject(unit)).toThrow(message);
  });

  test('what is not relocatable, whose relocations mean something else', () => {
    const unit = { ...object({ '.text': code }), type: ET.DYN };
    expect(() => cutObject(unit)).toThrow(/type 3; a relocatable object/);
    expect(() => diffObjects('unit.c', unit, unit)).toThrow(LivegraftError);
  });

  test('code that falls through from each of thousands of places', () => {
    const count = 1000;
    const zeros = Array.from({ length: 12 * count }, () => 0);
    const relocations = Array.from({ length: count }, (_, i) => [
      [12 * i, PC32, '.text', 0] as const,
      [12 * i + 4, PC32, '.fixup', 4 * i] as const,
    ]);
    const nops = Array.from({ length: 4 * count }, () => 0x90);
    const unit = object({
      '.text': code,
      '.fixup': { flags: 'x', bytes: nops },
      __ex_table: { bytes: zeros, relocations: relocations.flat() },
    });
    expect(() => cutObject(unit)).toThrow(/code that never ends/);
  });
});

test('strings are found by any byte of theirs, wide ones and the unfinished last one too', () => {
  const at = (bytes: readonly number[], entsize: number, offset: number) => {
    const unit = cutObject(
      object({
        '.text': {
          flags: 'x',
          bytes: [0x48, 0xc7, 0xc7, 0, 0, 0, 0, 0xc3],
          symbols: [{ name: 'f' }],
          relocations: [[3, ABS32S, '.rodata.str', offset]],
        },
        '.rodata.str': { flags: 'ms', entsize, bytes },
      }),
    );
    const [reference] = unit.references(unit.atoms[0]!);
    const { target } = reference!;
    return target.kind === 'atom' ? [target.atom.start, target.atom.size, target.at] : undefined;
  };
  const two = [...text('ab'), ...text('cde')];
  expect([0, 2, 3, 5, 6, 7].map((offset) => at(two, 1, offset))).toEqual([
    [0, 3, 0],
    [0, 3, 2],
    [3, 4, 0],
    [3, 4, 2],
    [3, 4, 3],
    [7, 0, 0],
  ]);
  expect(at([0x61, 0x62], 1, 1)).toEqual([0, 2, 1]);
  expect(at([0x61, 0, 0, 0x62, 0, 0, 0x63, 0], 2, 6)).toEqual([6, 2, 0]);
});
