import { expect, test } from 'vitest';
import { parseInlinings } from './inlining.ts';

const report = `/src/fs/a.c:5:70: optimized:  Inlining depth/0 into isra/3.
/src/include/linux/a.h:40:22: optimized:   Inlining aa/2 into f/6 (always_inline).
/src/fs/a.c:1854:4: optimized:  Inlined put_final/5139 into put.part.0/5756 which now has time 624.850537 and size 68, net change of -5.
fs/a.c:13:3: optimized:  Inlined put_many.constprop/12 into put/13 which now has time 3 and size 2, net change of +1.
/src/fs/a.c:40:1: missed:   not inlinable: f/6 -> printk/9, function body not available
optimized:  Inlining lost/1 into f/6.
  Function once.constprop.isra/5915 is inline copy in f/6
`;

test('gcc’s lines say who is in whom, clones counted as their functions', () => {
  const { into, files } = parseInlinings(report, ['/src']);
  expect(Object.fromEntries([...into].map(([name, inner]) => [name, [...inner]]))).toEqual({
    isra: ['depth'],
    f: ['aa', 'lost', 'once'],
    put: ['put_final', 'put_many'],
  });
  expect(files).toEqual(['fs/a.c', 'include/linux/a.h']);
});
