import { expect, test } from 'vitest';
import { cutObject } from '../../objdiff/atoms.ts';
import { ABS64, object } from '../../objdiff/testing/object.ts';
import { firstValue } from './value.ts';

const value = (bytes: readonly number[], pointers: readonly number[] = []): string => {
  const cut = cutObject(
    object({
      '.data.v': {
        flags: 'w',
        bytes,
        symbols: [{ name: 'v', kind: 'object' }],
        relocations: pointers.map((at) => [at, ABS64, 'elsewhere', 0] as const),
      },
    }),
  );
  return firstValue(cut, cut.atoms.find(({ name }) => name === 'v')!);
};
const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);
const text = (of: string): number[] => [...Buffer.from(of)];

test('firstValue: numbers, masks, texts, bytes', () => {
  expect(value(zeros(40))).toBe('zero');
  expect(value([42, 0, 0, 0])).toBe('42');
  expect(value([0xff, 0xff, 0xff, 0xff])).toBe('0xffffffff');
  expect(value([...text('livegraft'), 0])).toBe('"livegraft"');
  // eight letters are a number as well as not
  expect(value(text('livegra\0'))).toMatch(/^0x/);
  expect(value([1, 0, 2])).toBe('01 00 02');
  expect(value([...zeros(16), 1])).toBe('00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 …');
});

test('firstValue: pointers by name', () => {
  expect(value(zeros(8), [0])).toBe('&elsewhere');
  expect(value(zeros(40), [0, 8, 16, 24])).toBe('+0 &elsewhere, +8 &elsewhere, +16 &elsewhere, … 4 pointers');
});
