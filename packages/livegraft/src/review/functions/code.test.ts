import { expect, test } from 'vitest';
import { diffObjects } from '../../objdiff/diff.ts';
import { object, PLT32, type SectionLines } from '../../objdiff/testing/object.ts';
import { codeOf } from './code.ts';

type Lines = Readonly<Record<string, SectionLines>>;

const fn = (name: string, bytes: readonly number[], relocations: SectionLines['relocations'] = []): Lines => ({
  [`.text.${name}`]: { flags: 'x', bytes, symbols: [{ name, bind: 'global' }], relocations },
});
const cold = (bytes: readonly number[]): Lines => ({
  '.text.unlikely.f': { flags: 'x', bytes, symbols: [{ name: 'f.cold' }] },
});

/** The parts of f, a row a line: `=` the same, else what each side has. */
function shown(original: Lines, patched: Lines) {
  const diff = diffObjects('unit.c', object(original), object(patched));
  return codeOf(diff, diff.functions.find(({ name }) => name === 'f')!).map(({ name, rows }) => [
    name,
    ...rows.map(({ same, before, after }) => {
      const side = (one: typeof before): string => (one === undefined ? '.' : `${one.offset} ${one.bytes} ${one.text}`);
      return same ? `= ${side(after)}` : `${side(before)} | ${side(after)}`;
    }),
  ]);
}

test('codeOf: what comes in between shifts the rest; a branch over it leads to the same', () => {
  expect(shown(fn('f', [0x74, 1, 0x90, 0xc3]), fn('f', [0x74, 2, 0x90, 0xcc, 0xc3]))).toEqual([
    ['f', '= 0 7402 je     +0x4', '= 2 90 nop', '. | 3 cc int3', '= 4 c3 ret'],
  ]);
});

test('codeOf: near miss, a branch that leads elsewhere in the same code', () => {
  expect(shown(fn('f', [0x74, 1, 0x90, 0xc3]), fn('f', [0x74, 0, 0x90, 0xc3]))).toEqual([
    ['f', '0 7401 je     +0x3 | 0 7400 je     +0x2', '= 2 90 nop', '= 3 c3 ret'],
  ]);
});

test('codeOf: relocated bytes are what they refer to', () => {
  const calls = (name: string, field: number): Lines => fn('f', [0xe8, field, 0, 0, 0, 0xc3], [[1, PLT32, name, -4]]);
  expect(shown(calls('g', 0), calls('h', 0))).toEqual([
    ['f', '0 e800000000 call   g | 0 e800000000 call   h', '= 5 c3 ret'],
  ]);
  expect(shown(calls('g', 0), calls('g', 9))).toEqual([['f', '= 0 e809000000 call   g', '= 5 c3 ret']]);
});

test('codeOf: the part that the compiler put apart, on both sides or on one', () => {
  const [f, same] = [fn('f', [0x90, 0xc3]), fn('f', [0x90, 0xc3])];
  expect(shown({ ...f, ...cold([0xcc]) }, { ...same, ...cold([0x90, 0xcc]) })).toEqual([
    ['f', '= 0 90 nop', '= 1 c3 ret'],
    ['f.cold', '. | 0 90 nop', '= 1 cc int3'],
  ]);
  expect(shown({ ...f, ...cold([0xcc]) }, same)[1]).toEqual(['f.cold', '0 cc int3 | .']);
});
