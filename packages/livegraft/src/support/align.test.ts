import fc from 'fast-check';
import { expect, test } from 'vitest';
import { align } from './align.ts';

const show = (before: string, after: string): string =>
  align(before.length, after.length, (i, j) => before[i] === after[j])
    .map(([i, j]) => `${i === undefined ? '.' : before[i]}${j === undefined ? '.' : after[j]}`)
    .join(' ');

test('align: common ones share rows, and so do those that replace each other', () => {
  expect(show('abcd', 'abcd')).toBe('aa bb cc dd');
  expect(show('abcd', 'abxcd')).toBe('aa bb .x cc dd');
  expect(show('abcd', 'acd')).toBe('aa b. cc dd');
  expect(show('abcd', 'axyd')).toBe('aa bx cy dd');
  expect(show('', 'ab')).toBe('.a .b');
  expect(show('ab', '')).toBe('a. b.');
  expect(show('', '')).toBe('');
});

test('align: each index once and in order, as many pairs as a longest common subsequence has', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 40 });
  fc.assert(
    fc.property(letters, letters, (before, after) => {
      const rows = align(before.length, after.length, (i, j) => before[i] === after[j]);
      expect(rows.flatMap(([i]) => (i === undefined ? [] : [i]))).toEqual([...before].map((_, i) => i));
      expect(rows.flatMap(([, j]) => (j === undefined ? [] : [j]))).toEqual([...after].map((_, j) => j));
      const pairs = rows.filter(([i, j]) => i !== undefined && j !== undefined && before[i] === after[j]);
      expect(pairs.length).toBeGreaterThanOrEqual(longestCommon(before, after));
    }),
  );
});

test('align: nothing in common in long lists is one block', () => {
  const rows = align(5000, 4000, () => false);
  expect(rows).toHaveLength(5000);
  expect(rows[0]).toEqual([0, 0]);
});

/** By the textbook's table. */
function longestCommon(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++)
      table[i]![j] = a[i - 1] === b[j - 1] ? table[i - 1]![j - 1]! + 1 : Math.max(table[i - 1]![j]!, table[i]![j - 1]!);
  return table[a.length]![b.length]!;
}
