import { expect, test } from 'vitest';
import { statesIncompatible } from './states.ts';

const loaded = [
  { name: 'old', states: [{ id: 1, version: 2 }] },
  { name: 'other', states: [{ id: 7, version: 1 }] },
];
const candidate = (replace: boolean, ...states: (readonly [number, number])[]) => ({
  name: 'new',
  replace,
  states: states.map(([id, version]) => ({ id, version })),
});

test('the same version or a newer one goes; one that replaces must know all states', () => {
  expect(statesIncompatible(candidate(true, [1, 2], [7, 3], [9, 1]), loaded)).toEqual([]);
  expect(statesIncompatible(candidate(true, [1, 2]), loaded)).toEqual([{ id: 7, with: 'other', loaded: 1 }]);
});

test('one that replaces nothing need not know a state, but not know an older version', () => {
  expect(statesIncompatible(candidate(false), loaded)).toEqual([]);
  expect(statesIncompatible(candidate(false, [1, 1]), loaded)).toEqual([{ id: 1, with: 'old', loaded: 2, wanted: 1 }]);
});
