/** Findings on types: the case that must be found, and beside it the near miss that must not. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import { compileTypes } from './testing/compile-types.ts';
import { compareTypes } from './types.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-types-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function review(
  before: string,
  after: string,
  accepted: Record<string, string> = {},
): Promise<readonly Diagnostic[]> {
  const types = {
    original: (await compileTypes(dir, before)).btf,
    patched: (await compileTypes(dir, after)).btf,
  };
  const replaced = new Set(['new_user']);
  return compareTypes([{ source: 'a.c', types, text: before, replaced, accepted: new Map(Object.entries(accepted)) }])
    .findings;
}

const users = `
struct b { int n; };
static int new_user(struct a *p) { return p->y; }
static int old_user(struct a *p) { return p->y + 1; }
static int by_tag(void) { return sizeof(struct a); }
static int other(struct b *p) { return p->n; }
void *all[] = { new_user, old_user, other, by_tag };

`;

test('a structure gets a field: both sides, who names it, the way out', async () => {
  const [found, ...more] = await review(
    `struct a { char x; int y; };${users}`,
    `struct a { char x; long between; int y; };${users}`,
  );
  expect(more).toEqual([]);
  expect(found).toMatchObject({
    code: 'layout-changed',
    severity: 'error',
    exit: 4,
    place: 'a.c',
    data: {
      name: 'a',
      fields: ['before   | after', '         | +8 long int between', '+4 int y | +16 int y', 'size 8   | size 24'],
      replaced: ['new_user'],
      staying: ['old_user', 'by_tag'],
      shadow: 'LIVEGRAFT_SHADOW(a_between, long int, NUMBER, NULL, NULL)',
    },
  });
});

test('a typedef of a function pointer: the words stay, and what they stand for is shown', async () => {
  const ops = 'struct ops { run f; } ops;';
  expect(await review(`typedef int (*run)(int); ${ops}`, `typedef int (*run)(int, int); ${ops}`)).toMatchObject([
    {
      code: 'layout-changed',
      data: {
        fields: [
          'before                  | after',
          '+0 run f = int (*)(int) | +0 run f = int (*)(int, int)',
          'size 8                  | size 8',
        ],
      },
    },
  ]);
});

test('near misses: a field renamed by macro only, a new structure, a local type', async () => {
  const before = `struct a { int x; int y; };${users}`;
  expect(await review(before, `#define z y\n${before}`)).toEqual([]);
  expect(await review(before, `${before}struct c { int n; } c;`)).toEqual([]);
});

test('what the author vouches for is told and does not stop the build', async () => {
  const found = await review('struct a { int x; } a;', 'struct a { long x; } a;', { a: 'lives on one stack' });
  expect(found).toMatchObject([
    { code: 'layout-accepted', severity: 'warning', data: { reason: 'lives on one stack' } },
  ]);
});

test('an enum: renumbered, a number used again; growing at the end is none', async () => {
  const enumOf = (list: string): string => `enum e { ${list} } e;`;
  expect(await review(enumOf('A, B'), enumOf('A, X, B'))).toMatchObject([
    { code: 'enum-changed', data: { values: ['B is 2, was 1', 'X is 1, which was B'] } },
  ]);
  expect(await review(enumOf('A, B'), enumOf('A, C'))).toMatchObject([
    { code: 'enum-changed', data: { values: ['C is 1, which was B'] } },
  ]);
  expect(await review(enumOf('A, B'), enumOf('A, B, C'))).toEqual([]);
  expect(await review(enumOf('A, B'), enumOf('A, B, ALSO_B = 1'))).toEqual([]);
});
