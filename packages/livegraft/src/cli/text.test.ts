import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fit, fold, formatBytes, formatDuration, table, wrap } from './text.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
const plain = (text: string): string => text.replace(/\x1b\[[\d;]*m/g, '');

test('fold leaves a line that fits as it is, colours or not', () => {
  expect(fold('a line', 6)).toBe('a line');
  expect(fold('\x1b[31ma line\x1b[0m', 6)).toBe('\x1b[31ma line\x1b[0m');
});

test('fold goes on under the last column of a table where that leaves room', () => {
  expect(fold('  ab  cd  its code differs from there on', 30)).toBe(
    '  ab  cd  its code differs\n          from there on',
  );
  expect(fold('  a_long_name  12 bytes  its code differs', 28)).toBe(
    '  a_long_name  12 bytes  its\n      code differs',
  );
});

test('fold keeps long words whole', () => {
  expect(fold('Bundle /a/very/long/path/name here', 12)).toBe('Bundle\n    /a/very/long/path/name\n    here');
});

test('fold gives up a column that a word does not fit in', () => {
  expect(fold('aa/a///  ///aa///aaa/', 20)).toBe('aa/a///\n    ///aa///aaa/');
});

test('fold loses nothing but spaces, and no line is wider than it must be', () => {
  const word = fc.stringMatching(/^[a-z/]{1,12}$/);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(word, fc.constantFrom(' ', '  ', ' \x1b[1m', '\x1b[0m '))),
      fc.integer({ min: 20, max: 90 }),
      (words, width) => {
        const line = words.map(([text, after]) => text + after).join('');
        const folded = fold(line, width);
        expect(plain(folded).split(/\s+/).join('')).toBe(plain(line).split(/\s+/).join(''));
        for (const each of plain(folded).split('\n')) {
          expect(each.trimEnd().length <= width || !each.trim().includes(' ')).toBe(true);
        }
      },
    ),
  );
});

test('wrap breaks paragraphs and leaves what is laid out alone', () => {
  expect(wrap('one two three', 9, '  ')).toBe('  one two three');
  expect(wrap('one two three four five', 20, '  ')).toBe('  one two three four\n  five');
  expect(wrap('  the  patch expects something long here', 20)).toBe('  the  patch expects something long here');
});

test('numbers for people', () => {
  expect([fit('abcdef', 4), fit('abc', 4)]).toEqual(['abc…', 'abc']);
  expect([0, 612, 9_949, 31_400_000].map(formatBytes)).toEqual(['0 B', '612 B', '9.9 kB', '31 MB']);
  expect([400, 9_900, 12_300, 185_000].map(formatDuration)).toEqual(['0.4 s', '9.9 s', '12 s', '3 min 05 s']);
  expect(
    table([
      ['a', 'bb'],
      ['ccc', 'd'],
    ]),
  ).toBe('a    bb\nccc  d');
});
