import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editDistance, nearest } from './nearest.ts';

describe('nearest', () => {
  test('nearest first; of equals the newest', () => {
    expect(
      nearest('6.1.0-57-amd64', ['6.1.0-47-amd64', '6.1.0-55-amd64', '6.12.117+deb12-amd64', '6.1.0-56-amd64'], 3),
    ).toEqual(['6.1.0-56-amd64', '6.1.0-55-amd64', '6.1.0-47-amd64']);
    expect(nearest('x', [])).toEqual([]);
  });

  test('editDistance: 0 only for equals, symmetric, at most the longer length', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b);
        expect(distance === 0).toBe(a === b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
    expect(editDistance('kitten', 'sitting')).toBe(3);
  });
});
