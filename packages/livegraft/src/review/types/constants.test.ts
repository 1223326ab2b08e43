import { describe, expect, test } from 'vitest';
import { changedConstants, constantFindings } from './constants.ts';

const both = (define: string, after: string, rest: string, path = 'a.c') => ({
  path,
  original: `${define}\n${rest}`,
  patched: `${after}\n${rest}`,
});

describe('changedConstants', () => {
  test.each([
    ['#define N 16', '#define N 32', '16', '32'],
    ['#define N (1 << 4)', '#define N (1 << 5)', '(1 << 4) (16)', '(1 << 5) (32)'],
    ['#define A 2\n#define N (A * 8UL)', '#define A 4\n#define N (A * 9UL)', '(A * 8UL) (16)', '(A * 9UL) (36)'],
    ['#define N "one"', '#define N "two"', '"one"', '"two"'],
    ['#define N (5 * HZ)', '#define N (6 * HZ)', '(5 * HZ)', '(6 * HZ)'],
    ['#define N sizeof(struct x)', '#define N sizeof(struct y)', 'sizeof(struct x)', 'sizeof(struct y)'],
  ])('%s → %s', (before, after, old, fresh) => {
    expect(changedConstants(both(before, after, '')).filter(({ name }) => name === 'N')).toMatchObject([
      { name: 'N', before: old, after: fresh },
    ]);
  });

  test.each([
    ['the same number', '#define N 16', '#define N (0x8 + 010)'],
    ['blanks', '#define N 16', '#define  N\t16 /* sixteen */'],
    ['code', '#define N do_this()', '#define N do_that()'],
    ['a macro with parameters', '#define N(x) 1', '#define N(x) 2'],
    ['a new one', '', '#define N 1'],
  ])('none: %s', (_, before, after) => {
    expect(changedConstants(both(before, after, ''))).toEqual([]);
  });
});

/** `what` of each spot. */
function spots(rest: string, more: Partial<Parameters<typeof constantFindings>[0][number]> = {}): string[] {
  const found = constantFindings([{ ...both('#define N 16', '#define N 32', rest), ...more }], []);
  return found.flatMap((each) => each.spots ?? []).map(({ line, what }) => `${line}: ${what}`);
}

const reads = '\nint reads(struct o *o) { for (int i = 0; i < N; i++) o->a[i] = 0; return 0; }';

describe('constantFindings', () => {
  test.each<[string, string, string[]]>([
    [
      'memory',
      'void f(struct o *o) { o->a = kmalloc_array(N, sizeof(int), GFP_KERNEL); }',
      ['f() makes objects by it: kmalloc_array()'],
    ],
    [
      'by way of another macro',
      '#define BYTES (N * 4)\nvoid f(struct o *o) { o->a = kzalloc(BYTES, 0); }',
      ['f() makes objects by it: kzalloc()'],
    ],
    ['a field', 'void f(struct o *o) { o->limit = min(n, N); }', ['f() stores it in limit']],
    ['start-up', 'static int __init f(void) { return register(N); }', ['f() used it at start-up']],
    ['an array', 'static int table[N];', ['table has its size by it']],
    ['an array in a structure', 'struct t { int a[2 * N]; };', ['struct t has its size by it']],
    ['a first value', 'static int limit = N;', ['limit begins with it']],
  ])('%s keeps the old value while other code uses the new one', (_, keeps, wanted) => {
    expect(spots(keeps + reads).map((text) => text.replace(/^\d+: /, ''))).toEqual(wanted);
  });

  test.each([
    ['it is counted to', ''],
    ['a timeout', 'void f(struct o *o) { wait(o, N); }'],
    ['compared, and the result stored', 'void f(struct o *o) { o->full = o->n >= N; }'],
    ['compared', 'int f(struct o *o) { return o->n == N; }'],
    ['an array on the stack', 'void f(void) { int a[N]; use(a); }'],
    ['a local variable', 'void f(void) { int n = N; use(n); }'],
    ['another constant', 'void f(struct o *o) { o->a = kmalloc(M, 0); }'],
  ])('near miss: %s', (_, text) => {
    expect(spots(text + reads)).toEqual([]);
  });

  test('near miss: a field that nobody else judges by the constant', () => {
    expect(spots('void f(struct o *o) { o->timeout = N; }')).toEqual([]);
  });

  test('a function that stays (LIVEGRAFT_IGNORE); a header for programs', () => {
    expect(spots('int f(int n) { return n < N; }', { ignored: new Set(['f']) })).toEqual([
      '2: f() stays as it is (LIVEGRAFT_IGNORE)',
    ]);
    expect(spots('', { path: 'include/uapi/linux/a.h' })).toEqual(['1: programs are compiled with N']);
  });

  test('a header: one file makes objects by it, another counts to it; near miss: a .c file that has its own', () => {
    const header = both('#define N 16', '#define N 32', '', 'a.h');
    const maker = { path: 'm.c', original: 'void f(struct o *o) { o->a = kmalloc(N, 0); }', patched: '' };
    const reader = { path: 'r.c', original: reads, patched: '' };
    expect(constantFindings([header], [maker, reader])).toMatchObject([
      { code: 'constant-changed', place: 'a.h', functions: ['f'], spots: [{ file: 'm.c', line: 1 }] },
    ]);
    const own = both('#define N 16', '#define N 32', '', 'a.c');
    expect(constantFindings([own], [maker, reader])).toEqual([]);
  });
});
