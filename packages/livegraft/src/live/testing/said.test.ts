import { expect, test } from 'vitest';
import { readSaid } from './said.ts';

test('readSaid: output with and without a last line end, nothing, and a command that never ended', () => {
  const stdout = 'boot\n### one\na\nb\n=== 0\n### two\nno line end=== 3\n### three\n=== 1\n### four\nstill';
  expect([...readSaid(stdout)]).toEqual([
    ['one', { exit: 0, out: 'a\nb\n' }],
    ['two', { exit: 3, out: 'no line end' }],
    ['three', { exit: 1, out: '' }],
  ]);
});
