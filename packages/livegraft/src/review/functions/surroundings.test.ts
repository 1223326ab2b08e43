import { expect, test } from 'vitest';
import { extract } from '../../klp/extract.ts';
import { type Lines, unitOf } from '../../klp/testing.ts';
import { ABS32S, PC32, PLT32, type SectionLines, text } from '../../objdiff/testing/object.ts';
import { companionsOf, referencesOf } from './surroundings.ts';

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);
/** `call NAME` so many times, then a byte that tells the sides apart. */
const calls = (names: readonly string[], end: number): SectionLines => ({
  flags: 'x',
  bytes: [...names.flatMap(() => [0xe8, 0, 0, 0, 0]), end, 0xc3],
  symbols: [{ name: 'f', bind: 'global' }],
  relocations: names.map((name, i) => [5 * i + 1, PLT32, name, -4]),
});
const plain = (name: string): SectionLines => ({ flags: 'x', bytes: [0x90, 0xc3], symbols: [{ name }] });

async function extracted(original: Lines, patched: Lines, exported: readonly string[] = []) {
  const exports = exported.map((name): [string, string] => [name, 'vmlinux']);
  const extraction = await extract([unitOf(original, patched, { exports })]);
  const replaced = extraction.replaced.find(({ verdict }) => verdict.name === 'f')!;
  const code = { ...replaced, atom: replaced.verdict.patched! };
  return {
    references: referencesOf(code, extraction.pieces).map(
      ({ name, how, object, position, uses }) =>
        `${how} ${name}${object === undefined ? '' : ` [${object}],${position}`}: ${uses}`,
    ),
    companions: companionsOf(code),
  };
}

test('referencesOf: by who resolves it, each once with its uses; the function itself and literals are left out', async () => {
  const common: Lines = {
    '.text.g': plain('g'),
    '.text.kfree': { ...plain('kfree'), symbols: [{ name: 'kfree', bind: 'global' }] },
  };
  const literal: Lines = { '.rodata.str1.1': { flags: 'ms', bytes: text('hello'), entsize: 1 } };
  const before = { ...common, '.text.f': calls(['kfree', 'g'], 0x90) };
  const f = calls(['kfree', 'g', 'h', 'g', 'f'], 0xcc);
  const after: Lines = {
    ...common,
    ...literal,
    '.text.h': plain('h'),
    '.text.f': {
      ...f,
      bytes: [0x48, 0xc7, 0xc7, 0, 0, 0, 0, ...f.bytes!],
      relocations: [
        [3, ABS32S, '.rodata.str1.1', 0],
        ...f.relocations!.map(([at, type, name, addend]) => [at + 7, type, name, addend] as const),
      ],
    },
  };
  const { references } = await extracted(before, after, ['kfree']);
  expect(references).toEqual(['klp g [vmlinux],0: 2', 'export kfree: 1', 'own h: 1']);
});

test('companionsOf: entries about the function and its cold part, not those about others', async () => {
  const unit = (end: number): Lines => ({
    '.text.f': calls([], end),
    '.text.unlikely.f': { flags: 'x', bytes: [0x0f, 0x0b, end, 0xc3], symbols: [{ name: 'f.cold' }] },
    '.text.g': plain('g'),
    __bug_table: {
      bytes: zeros(36),
      flags: 'w',
      relocations: [
        [0, PC32, '.text.f', 0],
        [4, PC32, '.rodata.str', 0],
        [12, PC32, '.text.unlikely.f', 0],
        [16, PC32, '.rodata.str', 0],
        [24, PC32, '.text.g', 0],
        [28, PC32, '.rodata.str', 0],
      ],
    },
    '.rodata.str': { bytes: text('a.c') },
    __mcount_loc: { bytes: zeros(8), relocations: [[0, 1, '.text.f', 0]] },
  });
  const { companions } = await extracted(unit(0x90), unit(0xcc));
  expect(companions).toEqual([
    { section: '__bug_table', entries: 2, bytes: 24 },
    { section: '__mcount_loc', entries: 1, bytes: 8 },
  ]);
});
