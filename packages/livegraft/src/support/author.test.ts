import { expect, test } from 'vitest';
import { object, type SectionLines } from '../objdiff/testing/object.ts';
import { isNamed, readAuthorEntries } from './author.ts';

const ABS64 = 1;
/** Kind, version and number of each entry; relocations by offset. */
function section(
  entries: readonly (readonly [number, number, number])[],
  relocations: SectionLines['relocations'] = [],
) {
  const bytes = new Uint8Array(40 * entries.length);
  const view = new DataView(bytes.buffer);
  for (const [i, [kind, version, id]] of entries.entries()) {
    view.setUint32(40 * i, kind, true);
    view.setUint32(40 * i + 4, version, true);
    view.setBigUint64(40 * i + 8, BigInt(id), true);
  }
  return { bytes, relocations };
}
const strings: SectionLines = { flags: 'ms', entsize: 1, bytes: Buffer.from('f\0why not\0') };
const text: SectionLines = { flags: 'x', bytes: [0xc3], symbols: [{ name: 'f' }] };

test('entries are read by their relocations, in order', () => {
  const elf = object({
    '.text.f': text,
    '.rodata.str1.1': strings,
    '.livegraft': section(
      [
        [4, 0, 0],
        [5, 3, 17],
        [6, 0, 0],
        [7, 0, 0],
        [8, 0, 0],
      ],
      [
        [16, ABS64, 'f', 0],
        [24, ABS64, '.rodata.str1.1', 0],
        [104, ABS64, '.rodata.str1.1', 0],
        [112, ABS64, '.rodata.str1.1', 2],
        [144, ABS64, '.rodata.str1.1', 0],
        [152, ABS64, '.rodata.str1.1', 2],
        [184, ABS64, '.rodata.str1.1', 0],
      ],
    ),
  });
  const { section: _, ...entries } = readAuthorEntries(elf);
  expect(entries).toEqual({
    callbacks: [{ kind: 'post_unpatch', name: 'f', field: 16 }],
    states: [{ id: 17n, version: 3 }],
    forced: [{ name: 'f', reason: 'why not' }],
    ignored: [{ name: 'f', reason: 'why not' }],
    lent: ['f'],
  });
});

test('an object without the section says nothing; one with something else in it is refused', () => {
  expect(readAuthorEntries(object({ '.text.f': text })).section).toBeUndefined();
  expect(() => readAuthorEntries(object({ '.livegraft': { bytes: [1, 2, 3] } }))).toThrow(/3 bytes of entries of 40/);
  expect(() => readAuthorEntries(object({ '.livegraft': section([[9, 0, 0]]) }))).toThrow(/an entry of kind 9/);
  expect(() => readAuthorEntries(object({ '.livegraft': section([[6, 0, 0]]) }))).toThrow(/a text that is not there/);
});

test('a name in the source stands for what the compiler makes of it', () => {
  expect(['f', 'f.isra.0', 'f.cold', 'ff', 'g.f'].map((name) => isNamed(name, 'f'))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});
