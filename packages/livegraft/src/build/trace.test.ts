import { expect, test } from 'vitest';
import { sayCauses } from '../objdiff/explain/cause.ts';
import { SourceView } from './source-view.ts';
import { inlinedChange, namedChange, ownChange } from './trace.ts';

const before = `#define LOW 1
#define LIMIT(x) ((x) + LOW)
struct scan { int a; };
struct holder { struct scan *scan; };
static int held(struct holder *h) { return h->scan->a; }
static int deep(int x) { return x; }
static int middle(int x) { return deep(x); }
static int reader(struct scan *s) { return s->a; }
int outer(int x) { return middle(x); }
int bounded(int x) { return LIMIT(x); }
`;
const after = before
  .replace('LOW 1', 'LOW 2')
  .replace('int a;', 'int b, a;')
  .replace('{ return x; }', '{ return x + 1; }');
const files = new Map([['a.c', { path: 'a.c', original: before, patched: after, marked: after }]]);
const view = new SourceView(files, () => Promise.resolve(undefined));
const changes = view.changesFor('a.c', new Set(['a.c']));
const into = new Map([
  ['outer', new Set(['middle'])],
  ['middle', new Set(['deep'])],
]);

test('a function whose own text changed', () => {
  expect(ownChange('deep', changes)).toEqual([{ kind: 'source', file: 'a.c', line: 6 }]);
  expect(ownChange('outer', changes)).toBeUndefined();
});

test('what was inlined, by the shortest way', () => {
  expect(sayCauses(inlinedChange('outer', into, changes)!)).toBe(
    'inlined middle(), which inlined deep(), which changed at a.c:6',
  );
  expect(inlinedChange('bounded', into, changes)).toBeUndefined();
});

test('macros through macros, and types by their tag', async () => {
  const names = await view.namesIn(['a.c']);
  expect(sayCauses(namedChange('bounded', into, names, changes)!)).toBe(
    'uses the macro LIMIT, which uses the macro LOW, which changed at a.c:1',
  );
  expect(sayCauses(namedChange('reader', into, names, changes)!)).toBe('uses struct scan, which changed at a.c:3');
  expect(sayCauses(namedChange('held', into, names, changes)!)).toBe(
    'uses struct holder, which uses struct scan, which changed at a.c:3',
  );
  expect(namedChange('outer', into, names, changes)).toBeUndefined();
  expect(sayCauses(namedChange('outer', new Map([['outer', new Set(['bounded'])]]), names, changes)!)).toBe(
    'inlined bounded(), which uses the macro LIMIT, which uses the macro LOW, which changed at a.c:1',
  );
});

test('another unit’s file has names of its own; a header has not', () => {
  expect(view.changesFor('b.c', new Set(['a.c', 'b.c']))).toEqual([]);
  expect(view.changesFor('b.c', new Set(['b.c'])).length).toBeGreaterThan(0);
});
