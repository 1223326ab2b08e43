import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineCutter, parseGuestLine } from './protocol.ts';

describe('parseGuestLine', () => {
  test.each([
    ['hello 3.13 1 6.1.0-55-amd64', { kind: 'hello', uptime: 3.13, release: '6.1.0-55-amd64' }],
    ['begin 4.00 2 45056', { kind: 'begin', uptime: 4, step: 2, taint: 45056n }],
    ['output 4.00 2 AP8K', { kind: 'output', uptime: 4, step: 2, bytes: Buffer.from([0, 255, 10]) }],
    [
      'blocker 4.00 2 77 S a comm ) x',
      { kind: 'blocker', uptime: 4, step: 2, tid: 77, state: 'S', comm: 'a comm ) x' },
    ],
    [
      'stack 4.00 2 77 do_nanosleep+0x5b/0x120',
      { kind: 'stack', uptime: 4, step: 2, tid: 77, frame: 'do_nanosleep+0x5b/0x120' },
    ],
    ['sample 4.00 2 1 3 46', { kind: 'sample', uptime: 4, step: 2, inTransition: true, left: 3, tasks: 46 }],
    ['end 5.10 2 stalled 0', { kind: 'end', uptime: 5.1, step: 2, status: 'stalled', taint: 0n }],
    ['skip 5.10 3 ', { kind: 'skip', uptime: 5.1, step: 3 }],
    ['exit 5.10 7', { kind: 'exit', uptime: 5.1, code: 7 }],
    ['done 5.10 ', { kind: 'done', uptime: 5.1 }],
  ])('%s', (line, event) => {
    expect(parseGuestLine(line)).toEqual(event);
  });

  test.each([
    '',
    'hello',
    'hello 1.0 2 new-protocol',
    'begin x 1 0',
    'begin 1.0 one 0',
    'output 1.0 1 no*base64',
    'end 1.0 1 0 x',
  ])('%j is not ours', (line) => {
    expect(parseGuestLine(line)).toBeUndefined();
  });

  test('any line is taken without a throw', () => {
    const kinds = ['hello', 'begin', 'output', 'blocker', 'stack', 'sample', 'end', 'exit', 'trouble'];
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.string(), (kind, rest) => void parseGuestLine(`${kind} 1.0 ${rest}`)),
    );
  });
});

describe('LineCutter', () => {
  test('gives the same lines however the bytes arrive', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string().map((s) => s.replaceAll('\n', ''))),
        fc.integer({ min: 1, max: 7 }),
        (lines, size) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const cutter = new LineCutter();
          const found: string[] = [];
          for (let at = 0; at < bytes.length; at += size) found.push(...cutter.push(bytes.subarray(at, at + size)));
          expect(found).toEqual(lines.map((line) => Buffer.from(line).toString()));
        },
      ),
    );
  });

  test('a long line in many small pieces is whole', () => {
    const cutter = new LineCutter();
    for (let i = 0; i < 10_000; i++) expect(cutter.push(Buffer.from('ab'))).toEqual([]);
    expect(cutter.push(Buffer.from('c\nd'))).toEqual([`${'ab'.repeat(10_000)}c`]);
  });

  test('drops a line without end, and hears the next one', () => {
    const cutter = new LineCutter(10);
    expect(cutter.push(Buffer.from('x'.repeat(11)))).toEqual([]);
    expect(cutter.push(Buffer.from('xxx\nnext\n'))).toEqual(['next']);
  });
});
