import { describe, expect, test } from 'vitest';
import { diffObjects } from './diff.ts';
import { ABS64, object, type SectionLines } from './testing/object.ts';

function said(before: SectionLines, after: SectionLines, name = 'v'): { message: string; hint: string } {
  const around = { '.text.f': { flags: 'x', bytes: [0xc3], symbols: [{ name: 'f' }] } };
  const variable = (lines: SectionLines) => ({
    ...lines,
    flags: 'w',
    symbols: [{ name, kind: 'object' as const }],
  });
  const section = (lines: SectionLines) => (lines.bytes === undefined ? `.bss.${name}` : `.data.${name}`);
  const { findings } = diffObjects(
    'unit.c',
    object({ ...around, [section(before)]: variable(before) }),
    object({ ...around, [section(after)]: variable(after) }),
  );
  expect(findings.map((finding) => finding.code)).toEqual(['data-changed']);
  return { message: findings[0]!.message, hint: findings[0]!.hint ?? '' };
}

describe('a changed variable is refused with what it was and what it would be', () => {
  test('numbers, with the statement of a callback', () => {
    const { message, hint } = said({ bytes: [5, 0, 0, 0] }, { bytes: [0xfa, 0xff, 0xff, 0xff] });
    expect(message).toContain('its initial value goes from 5 to -6');
    expect(hint).toContain('`v = -6;`');
  });
  test('zero becomes something: another section too', () => {
    const { message, hint } = said({ size: 8 }, { bytes: [4, 0, 0, 0, 0, 0, 0, 0] });
    expect(message).toContain('its initial value goes from 0 to 4');
    expect(hint).toContain('`v = 4;`');
  });
  test('a static local has no name that a callback could use', () => {
    const { message, hint } = said({ bytes: [1] }, { bytes: [2] }, 'count.3');
    expect(message).toContain('from 1 to 2');
    expect(hint).not.toContain('callback');
  });
  test('bytes of a structure', () => {
    const bytes = (last: number) => ({ bytes: [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, last] });
    expect(said(bytes(0), bytes(1)).message).toContain('differs at byte 11: 03 00 00 00 becomes 03 00 00 01');
  });
  test('pointers, by name', () => {
    const to = (symbol: string): SectionLines => ({
      bytes: [0, 0, 0, 0, 0, 0, 0, 0],
      relocations: [[0, ABS64, symbol, 0]],
    });
    expect(said(to('old_ops'), to('new_ops')).message).toContain('its pointer at byte 0 goes from old_ops to new_ops');
  });
  test('another size', () => {
    expect(said({ size: 8 }, { size: 16 }).message).toContain('its size goes from 8 to 16 bytes');
  });
});
