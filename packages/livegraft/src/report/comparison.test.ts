import { expect, test } from 'vitest';
import { type ComparedRow, comparison, markDifference } from './comparison.ts';
import { type Content, html } from './html.ts';

const marked = (before: string, after: string): string[] =>
  markDifference(before, after).map((side: Content) => html`${side}`.text);

test('markDifference: whole words between what both share', () => {
  expect(marked('if (IS_ERR(folio))', 'if (!folio)')).toEqual([
    'if (<mark>IS_ERR(folio)</mark>)',
    'if (<mark>!folio</mark>)',
  ]);
  expect(marked('return x;', 'return x + 1;')).toEqual(['return x;', 'return x<mark> + 1</mark>;']);
  expect(marked('abcd', 'abxd')).toEqual(['abcd', 'abxd']);
  expect(marked('  a', '  b')).toEqual(['  a', '  b']);
  expect(marked('a', 'a')).toEqual(['a', 'a']);
});

const row = (n: number, same: boolean): ComparedRow => {
  const cell = { at: String(n), text: `line ${n}` };
  return { same, before: cell, after: same ? cell : { ...cell, text: `other ${n}` } };
};
const rows = (count: number, different: readonly number[]): ComparedRow[] =>
  Array.from({ length: count }, (_, n) => row(n, !different.includes(n)));
const buttons = (table: readonly ComparedRow[]): (string | undefined)[] =>
  [...comparison('c', 'line', 'Line', table).text.matchAll(/aria-expanded="false">([^<]+)</g)].map(([, text]) => text);

test('comparison: equal rows away from those that differ are behind a button, few are not', () => {
  expect(buttons(rows(20, [10]))).toEqual(['7 equal lines', '6 equal lines']);
  expect(buttons(rows(10, [3]))).toEqual([]);
  expect(buttons(rows(30, []))).toEqual(['30 equal lines']);
});

test('comparison: each row once, whatever is hidden', () => {
  const { text } = comparison('c', 'line', 'Line', rows(50, [0, 25, 49]));
  expect([...text.matchAll(/<td class="text">line (\d+)<\/td><td class="at">/g)].length).toBe(47);
  expect([...text.matchAll(/class="differs"/g)].length).toBe(3);
});

test('comparison: what is new stands alone', () => {
  const { text } = comparison('c', 'line', 'Line', [{ same: false, after: { at: '1', text: 'new' } }]);
  expect(text).toContain('class="single"');
  expect(text).not.toContain('Before');
});
