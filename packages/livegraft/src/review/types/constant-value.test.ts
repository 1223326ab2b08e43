import { expect, test } from 'vitest';
import { constantValue } from './constant-value.ts';

const names: Readonly<Record<string, string>> = { FOUR: '4', TWICE: '( FOUR * 2 )', LOOP: 'LOOP + 1' };
const value = (text: string) => constantValue(text.split(' '), (name) => names[name]?.split(' '));

test.each([
  ['1 + 2 * 3', 7n],
  ['( 1 + 2 ) * 3', 9n],
  ['1 << 4 | 1', 17n],
  ['- 1 & 0xff', 255n],
  ['~ 0', -1n],
  ['020', 16n],
  ['10UL / 3 % 2', 1n],
  ['TWICE << 1', 16n],
  ['BIT ( 4 ) | BIT_ULL ( FOUR + 1 )', 48n],
  ['1 << 63', -(1n << 63n)],
])('%s is %s', (text, wanted) => {
  expect(value(text)).toBe(wanted);
});

test.each([
  '1 +',
  '( 1',
  '1 / 0',
  '1 << 64',
  'BIT ( 64 )',
  'BIT 4',
  'UNKNOWN',
  'LOOP',
  '"text"',
  'sizeof ( int )',
  '09',
  '1 2',
])('%s has none', (text) => {
  expect(value(text)).toBeUndefined();
});
