import { expect, test } from 'vitest';
import { type Cause, sayCauses } from './cause.ts';

const source: Cause = { kind: 'source', file: 'fs/a.c', line: 12 };

test.each<[readonly Cause[], string]>([
  [[], ''],
  [[source], 'changed in the source at fs/a.c:12'],
  [[{ kind: 'inlined', name: 'x' }, source], 'inlined x(), which changed at fs/a.c:12'],
  [
    [{ kind: 'clone', name: 'f' }, { kind: 'inlined', name: 'x' }, source],
    'is a clone of f(), which inlined x(), which changed at fs/a.c:12',
  ],
  [
    [
      { kind: 'clone', name: 'f' },
      { kind: 'code', offset: 4 },
    ],
    'is a clone of f(), which changed',
  ],
  [
    [
      { kind: 'macro', name: 'Z' },
      { ...source, file: 'include/h.h' },
    ],
    'uses the macro Z, which changed at include/h.h:12',
  ],
  [
    [
      { kind: 'variable', name: 'v' },
      { ...source, gone: true },
    ],
    'uses the variable v, which was at fs/a.c:12',
  ],
  [[{ kind: 'beyond-ftrace', name: 'x' }, source], 'uses x(), out of reach for ftrace, which changed at fs/a.c:12'],
  [[{ kind: 'string', before: '"a"', after: '"b"' }], 'refers to "b" instead of "a"'],
  [[{ kind: 'reference', before: 'h.0', after: 'h.0' }], 'refers to another h.0 than before'],
  [[{ kind: 'part', name: 'f.cold', comes: true }], 'gains the part f.cold'],
  [
    [{ kind: 'compiler', offset: 22 }],
    'the compiler made other code of it, from +0x16 on; no changed line was found that it depends on',
  ],
])('%j', (causes, words) => {
  expect(sayCauses(causes)).toBe(words);
});
