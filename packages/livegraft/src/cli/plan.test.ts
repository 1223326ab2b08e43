import { expect, test } from 'vitest';
import { planText } from './plan.ts';

test('planText: a row a function, what becomes of what is loaded, what a revert does not bring back', () => {
  const text = planText({
    functions: [
      { name: 'pipe_read', object: 'vmlinux', position: 1, now: 'old', loaded: 'new', reverted: null },
      { name: 's_show', object: 'ext4', position: 3, now: null, loaded: 'new', reverted: null },
    ],
    livepatches: [{ name: 'old', fate: 'replaced' }],
  });
  expect(text.split('\n')).toEqual([
    'FUNCTION         NOW         LOADED  REVERTED AGAIN',
    'pipe_read        old         new     as shipped',
    's_show,3 [ext4]  as shipped  new     as shipped',
    'old is replaced: nothing of it runs any more, its module stays loaded until `livegraft unload`',
    'A revert does not bring back what runs now in 1 function: load the earlier bundle again for that',
  ]);
});
