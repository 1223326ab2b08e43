import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from './format-error.ts';
import { buildKallsyms, type TestLayout, type TestSymbol } from './kallsyms/build.ts';
import { readKallsyms } from './kallsyms.ts';

const TEXT = 0xffffffff81000000n;
const RODATA = 0xffffffff82000000n;
const LAYOUTS: readonly TestLayout[] = ['absolute', 'offsets-first', 'offsets-first-seqs', 'offsets-last', 'relative'];
const ANCHORS = [
  { name: '_text', address: TEXT },
  { name: '_etext', address: TEXT + 0x800000n },
  { name: '__start_rodata', address: RODATA },
];

function kernel(count: number): TestSymbol[] {
  const functions = Array.from({ length: count }, (_, i) => ({
    address: TEXT + 0x10n + BigInt(i) * 0x20n,
    type: i % 3 === 0 ? 'T' : 't',
    name: i % 7 === 0 ? 'task_show' : `sched_fn_${i}`,
  }));
  return [
    { address: TEXT, type: 'T', name: '_stext' },
    { address: TEXT, type: 'T', name: '_text' },
    ...functions,
    { address: TEXT + 0x800000n, type: 'T', name: '_etext' },
    { address: RODATA, type: 'R', name: '__start_rodata' },
  ];
}

const percpu: TestSymbol[] = [
  { address: 0n, type: 'A', name: '__per_cpu_start' },
  { address: 0x4000n, type: 'A', name: 'cpu_tss_rw' },
];

describe('readKallsyms', () => {
  test.each(LAYOUTS)('layout %s: every symbol comes back, in order', (layout) => {
    for (const count of [3, 250, 700]) {
      const symbols = layout === 'relative' ? kernel(count) : [...percpu, ...kernel(count)];
      const table = readKallsyms(buildKallsyms(symbols, layout, RODATA), RODATA, ANCHORS);
      expect(table.all.map(({ address, type, name }) => ({ address, type, name }))).toEqual(symbols);
      expect(table.all.map(({ index }) => index)).toEqual(symbols.map((_, i) => i));
    }
  });

  test('names longer than 127 bytes have two length bytes', () => {
    const symbols = kernel(300).map((symbol, i) => (i === 100 ? { ...symbol, name: `_R${'x'.repeat(197)}` } : symbol));
    const table = readKallsyms(buildKallsyms(symbols, 'offsets-last', RODATA), RODATA, ANCHORS);
    expect(table.all[100]!.name).toHaveLength(199);
  });

  test('several symbols of one name come in kallsyms order', () => {
    const table = readKallsyms(buildKallsyms(kernel(30), 'offsets-first', RODATA), RODATA, ANCHORS);
    const found = table.named('task_show');
    expect(found).toHaveLength(5);
    expect(found.map(({ index }) => index)).toEqual(found.map(({ index }) => index).toSorted((a, b) => a - b));
    expect(table.named('no_such_name')).toEqual([]);
  });

  test('lookup by address: exact, covering, none below the first, never a percpu offset for a kernel address', () => {
    const table = readKallsyms(buildKallsyms([...percpu, ...kernel(5)], 'offsets-first-seqs', RODATA), RODATA, ANCHORS);
    expect(table.at(TEXT).map(({ name }) => name)).toEqual(['_stext', '_text']);
    expect(table.covering(TEXT + 5n)?.name).toBe('_stext');
    expect(table.covering(TEXT + 0x10n)?.name).toBe('task_show');
    expect(table.covering(TEXT - 1n)).toBeUndefined();
    expect(table.covering(0x4008n)?.name).toBe('cpu_tss_rw');
    expect(table.extent(table.named('sched_fn_1')[0]!)).toBe(0x20);
    expect(table.extent(table.named('__start_rodata')[0]!)).toBeUndefined();
  });

  test('fewer than three anchors, or one that does not fit, is refused', () => {
    const bytes = buildKallsyms(kernel(300), 'offsets-first', RODATA);
    expect(() => readKallsyms(bytes, RODATA, ANCHORS.slice(0, 2))).toThrow(/at least 3/);
    const wrong = [...ANCHORS.slice(0, 2), { name: '__start_rodata', address: RODATA + 8n }];
    expect(() => readKallsyms(bytes, RODATA, wrong)).toThrow(expect.objectContaining({ code: 'kallsyms-addresses' }));
  });

  test('two tables in one section are ambiguous', () => {
    const one = buildKallsyms(kernel(300), 'offsets-first', RODATA);
    const two = new Uint8Array(one.length * 2);
    two.set(one);
    two.set(one, one.length);
    expect(() => readKallsyms(two, RODATA, ANCHORS)).toThrow(expect.objectContaining({ code: 'kallsyms-ambiguous' }));
  });

  test('a table cut anywhere, or other bytes, give a FormatError', () => {
    const bytes = buildKallsyms(kernel(20), 'offsets-last', RODATA);
    // the last 32 bytes are filler and seqs are not read
    for (let length = 0; length < bytes.length - 32 - 3 * 26; length++) {
      expect(() => readKallsyms(bytes.subarray(0, length), RODATA, ANCHORS)).toThrow(FormatError);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4000 }), (random) => {
        expect(() => readKallsyms(random, RODATA, ANCHORS)).toThrow(FormatError);
      }),
    );
  });

  test('many token tables are ambiguous, and none is searched for names', () => {
    const tokens = Buffer.alloc(512, 'a\0');
    const index = new Uint8Array(Uint16Array.from({ length: 256 }, (_, i) => 2 * i).buffer);
    const all = Buffer.concat(Array.from({ length: 20 }, () => [tokens, index]).flat());
    expect(() => readKallsyms(all, RODATA, ANCHORS)).toThrow(expect.objectContaining({ code: 'kallsyms-ambiguous' }));
  });

  test('flipped bytes give a FormatError or a table, nothing else', () => {
    const bytes = buildKallsyms(kernel(40), 'offsets-first-seqs', RODATA);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const damaged = Uint8Array.from(bytes);
        damaged[at] = value;
        try {
          readKallsyms(damaged, RODATA, ANCHORS);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
