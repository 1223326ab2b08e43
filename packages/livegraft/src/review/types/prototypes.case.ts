/** Prototypes of replaced functions: each way in which somebody stays with the old one, and beside it the near miss. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reviewPrototypes } from './prototypes.ts';
import { compileUnitOf } from './testing/compile-unit.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-prototypes-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Functions here are static: what is outside of the unit is not asked for. */
async function review(before: string, after: string) {
  const unit = await compileUnitOf(dir, before, after);
  const subject = { units: [unit], files: new Map() } as unknown as Parameters<typeof reviewPrototypes>[0];
  const { findings, types } = await reviewPrototypes(subject);
  return { findings: findings.map(({ code, data }) => ({ code, data })), types, unit };
}

const head = `
#define noinline __attribute__((noinline))
extern void put(long);
struct object { int n; };
struct ops { int (*run)(struct object *); };
`;
/** The address of f is in a table. */
const table = (value: string) => `struct ops table = { .run = ${value} };\n`;
const run = 'static noinline int f(struct object *o) { put(o->n); return 1; }\n';

describe('its address is stored, in a pointer of the old type', () => {
  test.each([
    [
      'another argument',
      'static noinline int f(struct object *o, int more) { put(o->n + more); return 1; }\n',
      ['argument 2 (int more) is new: an old call leaves there what happens to lie there'],
    ],
    [
      'no result',
      'static noinline void f(struct object *o) { put(o->n); put(2); }\n',
      ['it returns nothing, and an old call takes int from it'],
    ],
    [
      'a smaller result',
      'static noinline _Bool f(struct object *o) { put(o->n); put(2); return 1; }\n',
      ['it sets 1 bytes of the result, of which an old call reads 4'],
    ],
    [
      'a number for an address',
      'static noinline int f(int n) { put(n); return 1; }\n',
      ['argument 1 (int n) was struct object *'],
    ],
  ])('%s is refused', async (_, changed, breaks) => {
    const { findings, types } = await review(head + run + table('f'), head + changed + table('(void *)f'));
    expect(findings).toMatchObject([
      { code: 'prototype-changed', data: { before: 'int f(struct object *)', breaks, staying: ['table'] } },
    ]);
    expect(types).toMatchObject([{ kind: 'function', name: 'f', staying: ['table'] }]);
  });

  test.each([
    ['a wider result', 'static noinline long f(struct object *o) { put(o->n); put(2); return 1; }\n'],
    ['an argument less', 'static noinline int f(void) { put(2); return 1; }\n'],
    ['an address of something else', 'static noinline int f(struct ops *o) { put((long)o->run); return 1; }\n'],
  ])('%s asks for judgement: the registers fit', async (_, changed) => {
    const { findings } = await review(head + run + table('f'), head + changed + table('(void *)f'));
    expect(findings).toMatchObject([{ code: 'prototype-doubtful', data: { breaks: [], staying: ['table'] } }]);
  });

  test('near misses: const, a typedef, another name, another body', async () => {
    const changed =
      'typedef int count_t;\nstatic noinline count_t f(const struct object *it) { put(it->n); put(2); return 1; }\n';
    expect(await review(head + run + table('f'), head + changed + table('(void *)f'))).toMatchObject({
      findings: [],
      types: [],
    });
  });
});

describe('its address is taken by code', () => {
  const each = (type: string, call: string) => `static noinline void each(${type}) { put(1); put(${call}); }\n`;
  const user = (value: string) => `void use(void) { each(${value}); }\n`;

  test('a callback and what it is handed to change together: nothing; the prototype is shown', async () => {
    const { findings, types } = await review(
      `${head}static noinline int f(long a) { put(a); return 1; }\n${each('int (*cb)(long)', 'cb(7)')}${user('f')}`,
      `${head}static noinline int f(long a, long b) { put(a + b); return 1; }\n${each('int (*cb)(long, long)', 'cb(7, 8)')}${user('f')}`,
    );
    expect(findings).toEqual([]);
    expect(types.map(({ name, before, after }) => [name, before.text, after.text])).toEqual(
      expect.arrayContaining([
        // a clone: it has its text only
        ['each', 'static noinline void each(int(*cb)(long))', 'static noinline void each(int(*cb)(long, long))'],
        ['f', 'int f(long int)', 'int f(long int, long int)'],
      ]),
    );
  });

  test('a cast hides that the callback changes alone', async () => {
    const { findings } = await review(
      `${head}extern void store(int (*)(long));\nstatic int f(long a) { put(a); return 1; }\nvoid use(void) { store(f); }\n`,
      `${head}extern void store(int (*)(long));\nstatic int f(long a, long b) { put(a + b); return 1; }\nvoid use(void) { store((int (*)(long))f); }\n`,
    );
    expect(findings).toMatchObject([{ code: 'prototype-changed', data: { staying: ['use'] } }]);
  });

  test('it was taken before, and is not any more: who has it is not known', async () => {
    const { findings } = await review(
      `${head}extern void store(int (*)(long));\nstatic noinline int f(long a) { put(a); return 1; }\nvoid use(void) { store(f); }\n`,
      `${head}static noinline int f(long a, long b) { put(a + b); return 1; }\nvoid use(void) { put(f(2, 3)); put(f(3, 4)); }\n`,
    );
    expect(findings).toMatchObject([{ code: 'prototype-doubtful', data: { staying: ['use'] } }]);
  });
});

describe('old code goes on to call it', () => {
  const f = 'static noinline int f(struct object *o, int n) { put(o->n + n); put(3); return 1; }\n';
  const g = 'static noinline int f(struct object *o, long more, int n) { put(o->n + n + more); put(3); return 1; }\n';
  const keep = 'void *keep[] = { f };\n';

  test('a caller whose change is left out (LIVEGRAFT_IGNORE)', async () => {
    const ignore = `
      struct livegraft_entry { unsigned kind, version; unsigned long long id; void *function; const char *name, *reason; };
      static const struct livegraft_entry e __attribute__((section(".livegraft"), used)) = { .kind = 7, .name = "use", .reason = "why" };\n`;
    const { findings } = await review(
      `${head}${f}${keep}int use(struct object *o) { return f(o, 2); }\n`,
      `${head}${ignore}${g}${keep}int use(struct object *o) { return f(o, 5, 2); }\n`,
    );
    expect(findings).toMatchObject([{ code: 'prototype-changed', data: { staying: ['use', 'keep'] } }]);
  });

  test('a function that is gone from the source, while a pointer may lead to it; near miss: only replaced code called it', async () => {
    const before = `${head}extern void store(void (*)(void));\nstruct object it;\n${f}${keep}static noinline void gone(void) { put(f(&it, 2)); put(1); }\n`;
    const after = `${head}extern void store(void (*)(void));\nstruct object it;\n${g}${keep}`;
    const stored = await review(`${before}void use(void) { store(gone); }\n`, `${after}void use(void) { put(1); }\n`);
    expect(stored.findings).toMatchObject([{ code: 'prototype-changed', data: { staying: ['gone', 'keep'] } }]);
    const called = await review(
      `${before}void use(void) { gone(); gone(); }\n`,
      `${after}void use(void) { put(1); }\n`,
    );
    expect(called.findings).toMatchObject([{ code: 'prototype-doubtful', data: { staying: ['keep'] } }]);
  });
});

describe('no finding: nobody stays with the old prototype', () => {
  test('all callers are compiled by the new one, changed or not; clones have no prototype of their own', async () => {
    const { findings, types, unit } = await review(
      `${head}static noinline int f(struct object *o, long unused) { put(o->n); return 1; }\nint use(struct object *o) { return f(o, 1); }\nint other(struct object *o) { return f(o, 2) + 1; }\n`,
      `${head}static noinline int f(struct object *o, int unused, int also) { put(o->n); put(2); return 1; }\nint use(struct object *o) { return f(o, 1, 2); }\nint other(struct object *o) { return f(o, 2, 3) + 1; }\n`,
    );
    expect(unit.diff.functions.map(({ name, verdict }) => `${name} ${verdict}`)).toContain('use unchanged');
    expect(findings).toEqual([]);
    expect(types).toMatchObject([{ kind: 'function', name: 'f', staying: [] }]);
  });
});
