import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CpioEntry, readCpio, writeCpio } from './cpio.ts';
import { FormatError } from './format-error.ts';

const text = (value: string) => new TextEncoder().encode(value);

const sample: CpioEntry[] = [
  { kind: 'dir', path: 'dev', permissions: 0o755 },
  { kind: 'char', path: 'dev/console', permissions: 0o600, major: 5, minor: 1 },
  { kind: 'block', path: 'dev/vda', permissions: 0o660, major: 254, minor: 0 },
  { kind: 'file', path: 'init', permissions: 0o755, data: text('#!/bin/sh\n') },
  { kind: 'symlink', path: 'bin', permissions: 0o777, target: 'usr/bin' },
  { kind: 'file', path: 'etc-empty', permissions: 0o4644, data: new Uint8Array(0) },
];

const path = fc
  .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
  .filter((p) => !/^\/|\0/.test(p) && p !== 'TRAILER!!!');
const permissions = fc.integer({ min: 0, max: 0o7777 });
const number = fc.integer({ min: 0, max: 0xffff });
const entry: fc.Arbitrary<CpioEntry> = fc.oneof(
  fc.record({ kind: fc.constant('file' as const), path, permissions, data: fc.uint8Array({ maxLength: 70 }) }),
  fc.record({ kind: fc.constant('dir' as const), path, permissions }),
  fc.record({ kind: fc.constant('symlink' as const), path, permissions, target: path }),
  fc.record({
    kind: fc.constantFrom('char' as const, 'block' as const),
    path,
    permissions,
    major: number,
    minor: number,
  }),
);

describe('writeCpio', () => {
  test('what is written is read again', () => {
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        expect(readCpio(writeCpio(entries))).toEqual(entries);
      }),
    );
  });

  test('cpio lists the same members, modes and device numbers', () => {
    const listed = execFileSync('cpio', ['-itv', '--quiet', '--numeric-uid-gid'], {
      input: writeCpio(sample),
      encoding: 'utf8',
    });
    const lines = listed
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +/g, ' ').replace(/ Jan 1 1970/, ''));
    expect(lines).toEqual([
      'drwxr-xr-x 2 0 0 0 dev',
      'crw------- 1 0 0 5, 1 dev/console',
      'brw-rw---- 1 0 0 254, 0 dev/vda',
      '-rwxr-xr-x 1 0 0 10 init',
      'lrwxrwxrwx 1 0 0 7 bin -> usr/bin',
      '-rwSr--r-- 1 0 0 0 etc-empty',
    ]);
  });

  test.each(['/init', '', 'a\0b', 'TRAILER!!!', 'x'.repeat(4096)])('the name %j is refused', (path) => {
    expect(() => writeCpio([{ kind: 'dir', path, permissions: 0o755 }])).toThrow(FormatError);
  });
});

describe('readCpio', () => {
  test('reads what cpio writes', () => {
    const written = execFileSync('cpio', ['-o', '-H', 'newc', '--quiet'], {
      input: 'cpio.ts\n',
      cwd: import.meta.dirname,
    });
    const [entry] = readCpio(written);
    expect(entry).toMatchObject({ kind: 'file', path: 'cpio.ts' });
  });

  test('every truncation is a FormatError', () => {
    const whole = writeCpio(sample);
    for (let size = 0; size < whole.length; size++) {
      expect(() => readCpio(whole.subarray(0, size)), `${size} bytes`).toThrow(FormatError);
    }
  });

  test('any change of a byte gives members or a FormatError', () => {
    const whole = writeCpio(sample);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (offset, value) => {
        const changed = Uint8Array.from(whole);
        changed[offset] = value;
        try {
          readCpio(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });
});
