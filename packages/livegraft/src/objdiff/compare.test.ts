import { expect, test } from 'vitest';
import { diffObjects } from './diff.ts';
import { ABS64, object, type SectionLines } from './testing/object.ts';

/** Unnamed constants, each of which refers twice to the next. */
function ladder(steps: number, last: number): Record<string, SectionLines> {
  const sections: Record<string, SectionLines> = {
    '.text.f': {
      flags: 'x',
      bytes: [0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xc3],
      symbols: [{ name: 'f' }],
      relocations: [[2, ABS64, '.rodata.s0', 0]],
    },
  };
  for (let i = 0; i < steps; i++) {
    sections[`.rodata.s${i}`] = {
      bytes: Array.from({ length: 16 }, () => (i === steps - 1 ? last : 0)),
      relocations: i === steps - 1 ? [] : [0, 8].map((at) => [at, ABS64, `.rodata.s${i + 1}`, 0] as const),
    };
  }
  return sections;
}

test('what is reached in many ways is compared once, and a difference at the end of all of them counts', () => {
  const verdicts = (last: number) =>
    diffObjects('unit.c', object(ladder(40, 1)), object(ladder(40, last))).functions.map((f) => f.verdict);
  expect(verdicts(1)).toEqual(['unchanged']);
  expect(verdicts(2)).toEqual(['changed']);
});

test('two circles of constants are the same, or not', () => {
  const circle = (value: number): Record<string, SectionLines> => ({
    ...ladder(1, 0),
    '.rodata.s0': { bytes: [...Array.from({ length: 8 }, () => 0), 1], relocations: [[0, ABS64, '.rodata.s1', 0]] },
    '.rodata.s1': { bytes: [...Array.from({ length: 8 }, () => 0), value], relocations: [[0, ABS64, '.rodata.s0', 0]] },
  });
  const verdicts = (value: number) =>
    diffObjects('unit.c', object(circle(3)), object(circle(value))).functions.map((f) => f.verdict);
  expect(verdicts(3)).toEqual(['unchanged']);
  expect(verdicts(4)).toEqual(['changed']);
});
