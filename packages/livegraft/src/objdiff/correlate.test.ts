import { describe, expect, test } from 'vitest';
import { diffObjects } from './diff.ts';
import { ABS32S, object, PLT32, type SectionLines, text } from './testing/object.ts';

/** `mov $flag,%rdi; mov $message,%rsi; call warn` for each block, in a function of its own section. */
function blocks(list: readonly (readonly [flag: string, message: 'a' | 'b' | 'c'])[], more: readonly number[] = []) {
  const code = list.flatMap(() => [0x48, 0xc7, 0xc7, 0, 0, 0, 0, 0x48, 0xc7, 0xc6, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0]);
  const sections: Record<string, SectionLines> = {
    '.rodata.str1.1': { flags: 'ms', entsize: 1, bytes: ['a', 'b', 'c'].flatMap((each) => text(each)) },
    '.text.f': {
      flags: 'x',
      bytes: [...code, ...more, 0xc3],
      symbols: [{ name: 'f' }],
      relocations: list.flatMap(([flag, message], i) => [
        [19 * i + 3, ABS32S, `.data.${flag}`, 0] as const,
        [19 * i + 10, ABS32S, '.rodata.str1.1', 2 * 'abc'.indexOf(message)] as const,
        [19 * i + 15, PLT32, 'warn', -4] as const,
      ]),
    },
  };
  for (const [flag] of list)
    sections[`.data.${flag}`] = { flags: 'w', bytes: [0], symbols: [{ name: flag, kind: 'object' }] };
  return object(sections);
}

function compare(before: ReturnType<typeof object>, after: ReturnType<typeof object>) {
  const { correlation, findings } = diffObjects('unit.c', before, after);
  const pairs = [...correlation.originalOf].flatMap(([b, a]) => (b.kind === 'data' ? [`${a.name} → ${b.name}`] : []));
  return { pairs: pairs.sort(), codes: findings.map((finding) => finding.code) };
}

describe('static locals of one name in changed code', () => {
  test('once-flags go with their messages when blocks change places', () => {
    const before = blocks([
      ['__already_done.1', 'a'],
      ['__already_done.0', 'b'],
    ]);
    const after = blocks(
      [
        ['__already_done.1', 'b'],
        ['__already_done.0', 'a'],
      ],
      [0x90],
    );
    expect(compare(before, after)).toEqual({
      pairs: ['__already_done.0 → __already_done.1', '__already_done.1 → __already_done.0'],
      codes: [],
    });
  });

  test('the flag of a new message starts afresh, the others stay', () => {
    const before = blocks([
      ['_rs.1', 'a'],
      ['_rs.0', 'b'],
    ]);
    const after = blocks([
      ['_rs.2', 'a'],
      ['_rs.1', 'c'],
      ['_rs.0', 'b'],
    ]);
    const { pairs } = compare(before, after);
    expect(pairs).toContain('_rs.0 → _rs.0');
    expect(pairs.every((pair) => !pair.endsWith('_rs.1'))).toBe(true);
  });

  test('what DO_ONCE() has done is never done again: refused', () => {
    const before = blocks([
      ['___done.1', 'a'],
      ['___done.0', 'b'],
    ]);
    const after = blocks(
      [
        ['___done.1', 'a'],
        ['___done.0', 'b'],
      ],
      [0x90],
    );
    expect(compare(before, after).codes).toEqual(['state-lost', 'state-lost']);
  });
});
