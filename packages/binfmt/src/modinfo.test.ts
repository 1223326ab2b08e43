import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from './format-error.ts';
import { readModinfo } from './modinfo.ts';

describe('readModinfo', () => {
  test('entries in order, repeated keys kept, values may hold "="', () => {
    const bytes = Buffer.from('name=ext4\0alias=fs-ext4\0alias=ext3\0\0\0parm=a=b:int\0');
    expect(readModinfo(bytes)).toEqual([
      { key: 'name', value: 'ext4' },
      { key: 'alias', value: 'fs-ext4' },
      { key: 'alias', value: 'ext3' },
      { key: 'parm', value: 'a=b:int' },
    ]);
    expect(readModinfo(new Uint8Array(0))).toEqual([]);
  });

  test('no end, or no key: a FormatError with the place', () => {
    expect(() => readModinfo(Buffer.from('name=x\0license'))).toThrow(
      expect.objectContaining({ code: 'modinfo-unterminated', offset: 7 }),
    );
    expect(() => readModinfo(Buffer.from('=x\0'))).toThrow(FormatError);
  });

  test('what is written is read', () => {
    const entry = fc.record({ key: fc.stringMatching(/^[a-z_.]{1,9}$/), value: fc.stringMatching(/^[ -~]*$/) });
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const bytes = Buffer.from(entries.map(({ key, value }) => `${key}=${value}\0`).join(''));
        expect(readModinfo(bytes)).toEqual(entries);
      }),
    );
  });
});
