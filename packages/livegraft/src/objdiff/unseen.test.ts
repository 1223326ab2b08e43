import { expect, test } from 'vitest';
import { diffObjects } from './diff.ts';
import { object } from './testing/object.ts';

test('bytes without a name that nothing refers to: a change is a finding, but for what a check of UBSAN left behind', () => {
  const codes = (section: string): string[] => {
    const unit = (last: number) =>
      object({
        '.text.f': { flags: 'x', bytes: [0xc3], symbols: [{ name: 'f' }] },
        [section]: { flags: 'w', bytes: [1, 2, 3, last] },
      });
    return diffObjects('unit.c', unit(4), unit(5)).findings.map(({ code }) => code);
  };
  expect(codes('.data.x')).toEqual(['unnamed-changed']);
  expect(codes('.data..Lubsan_data7')).toEqual([]);
});
