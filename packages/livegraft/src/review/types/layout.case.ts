/** Layouts as the compiler makes them and pahole writes them down; pahole itself says the same of offsets and sizes. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changedLayouts, layoutsOf } from './layout.ts';
import { compileTypes } from './testing/compile-types.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-layout-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** `struct a: moved b 32 → 64` */
async function changes(before: string, after: string): Promise<string[]> {
  const found = changedLayouts((await compileTypes(dir, before)).btf, (await compileTypes(dir, after)).btf);
  return found.flatMap(({ before: { kind, name }, changes }) =>
    changes.map((change) => {
      const head = `${kind} ${name}: ${change.what}`;
      if (change.what === 'size') return `${head} ${change.before} → ${change.after}`;
      if ('field' in change) return `${head} ${change.field.type} ${change.field.name}`;
      if (change.what === 'moved')
        return `${head} ${change.after.name} ${change.before.bitOffset} → ${change.after.bitOffset}`;
      if (change.what === 'retyped') return `${head} ${change.after.name} ${change.before.type} → ${change.after.type}`;
      if (change.what === 'value-changed') return `${head} ${change.name} ${change.before} → ${change.after}`;
      return 'name' in change ? `${head} ${change.name} ${change.value}` : head;
    }),
  );
}

describe('changedLayouts', () => {
  test.each<[string, string, string, string[]]>([
    [
      'a field added at the end',
      'struct a { int x; };',
      'struct a { int x; long y; };',
      ['struct a: size 4 → 16', 'struct a: added long int y'],
    ],
    [
      'a field put between',
      'struct a { int x; int z; };',
      'struct a { int x; int y; int z; };',
      ['struct a: size 8 → 12', 'struct a: moved z 32 → 64', 'struct a: added int y'],
    ],
    [
      'a field in what was padding: the size stays',
      'struct a { char x; long z; };',
      'struct a { char x; char y; long z; };',
      ['struct a: added char y'],
    ],
    [
      'two swapped',
      'struct a { int x, y; };',
      'struct a { int y, x; };',
      ['struct a: moved x 0 → 32', 'struct a: moved y 32 → 0'],
    ],
    [
      'another type of the same size',
      'struct a { int x; };',
      'struct a { unsigned x; };',
      ['struct a: retyped x int → unsigned int'],
    ],
    [
      'a typedef behind a field',
      'typedef int t; struct a { t x; };',
      'typedef unsigned t; struct a { t x; };',
      ['struct a: retyped x t → t'],
    ],
    [
      'a bit field',
      'struct a { unsigned x : 3, y : 5; };',
      'struct a { unsigned x : 4, y : 4; };',
      ['struct a: retyped x unsigned int → unsigned int', 'struct a: retyped y unsigned int → unsigned int'],
    ],
    [
      'in a part without a name',
      'struct a { union { int x; struct { short l, h; }; } u; };',
      'struct a { union { int x; struct { short h, l; }; } u; };',
      ['struct a: moved u.l 0 → 16', 'struct a: moved u.h 16 → 0'],
    ],
    [
      'a structure inside another grows',
      'struct b { int x; }; struct a { struct b b; int y; };',
      'struct b { int x, z; }; struct a { struct b b; int y; };',
      [
        'struct b: size 4 → 8',
        'struct b: added int z',
        'struct a: size 8 → 12',
        'struct a: retyped b struct b → struct b',
        'struct a: moved y 32 → 64',
      ],
    ],
    [
      'a function pointer with another parameter',
      'struct ops { int (*f)(int); };',
      'struct ops { int (*f)(int, void *); };',
      ['struct ops: retyped f int (*)(int) → int (*)(int, void *)'],
    ],
    [
      'a typedef of a function pointer, and what it is handed',
      'typedef int (*run)(int); typedef void (*with)(run); struct ops { run f; with g; };',
      'typedef int (*run)(long); typedef void (*with)(run); struct ops { run f; with g; };',
      ['struct ops: retyped f run → run', 'struct ops: retyped g with → with'],
    ],
    [
      'an array of another length',
      'struct a { int x[4]; };',
      'struct a { int x[5]; };',
      ['struct a: size 16 → 20', 'struct a: retyped x int[4] → int[5]'],
    ],
    [
      'an enum renumbered',
      'enum e { A, B };',
      'enum e { A, C, B };',
      ['enum e: value-changed B 1 → 2', 'enum e: value-added C 1'],
    ],
    ['negative values', 'enum e { A = -1 };', 'enum e { A = -2 };', ['enum e: value-changed A -1 → -2']],
    [
      'a typedef without a tag',
      'typedef struct { int x; } t;',
      'typedef struct { long x; } t;',
      ['struct t: size 4 → 8', 'struct t: retyped x int → long int'],
    ],
  ])('%s', async (_name, before, after, wanted) => {
    expect(await changes(before, after)).toEqual(wanted);
  });

  test.each<[string, string, string]>([
    ['names of types that mean the same', 'struct a { int x; };', 'typedef int s32; struct a { s32 x; };'],
    ['const', 'struct a { char *x; };', 'struct a { const char *x; };'],
    [
      'a structure only pointed at',
      'struct b { int x; }; struct a { struct b *b; };',
      'struct b; struct a { struct b *b; };',
    ],
    ['an enum that is only announced', 'enum e { A };', '__extension__ enum e; enum e *x;'],
    ['a new structure', 'struct a { int x; };', 'struct a { int x; }; struct b { int y; };'],
    ['one that holds a pointer to itself', 'struct a { struct a *next; };', 'struct a { struct a *next; };'],
  ])('no change: %s', async (_name, before, after) => {
    expect(await changes(before, after)).toEqual([]);
  });
});

test('layoutsOf has offsets and sizes as pahole shows them', async () => {
  const source = `struct inner { char c; long l; };
    struct outer { short s; struct inner i[2]; unsigned f : 3; unsigned g : 7; const char *const *p; void (*h)(struct outer *, ...); enum e { A } e; };`;
  const { btf, object } = await compileTypes(dir, source);
  const [outer] = layoutsOf(btf).get('struct outer')!;
  const shown = execFileSync('pahole', ['-C', 'outer', object], { encoding: 'utf8' });
  const lines = [...shown.matchAll(/^\s+(.+?);\s+\/\*\s+(\d+)(?::\s*(\d+))?\s+(\d+) \*\//gm)];
  expect(outer!.fields.map((field) => [Math.floor(field.bitOffset / 8 / 4) * 4, field.name])).toEqual(
    lines.map(([, text, offset]) => [
      Math.floor(Number(offset) / 4) * 4,
      /(\w+)(?:\[\d+\]|:\d+|\)\(.*)?$/.exec(text!.replace(/\)\(.*$/, ''))![1],
    ]),
  );
  expect(outer!.size).toBe(Number(/size: (\d+)/.exec(shown)![1]));
  expect(outer!.fields.map(({ type }) => type)).toEqual([
    'short int',
    'struct inner[2]',
    'unsigned int',
    'unsigned int',
    'const char *const *',
    'void (*)(struct outer *, ...)',
    'enum e',
  ]);
});
