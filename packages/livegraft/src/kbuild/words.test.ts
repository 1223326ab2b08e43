import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mayHaveWord, packWords } from './words.ts';

describe('packWords', () => {
  test('never forgets a word', () => {
    const words = fc.uniqueArray(fc.stringMatching(/^[A-Za-z_]\w{0,30}$/), { minLength: 0, maxLength: 300 });
    fc.assert(
      fc.property(words, (all) => {
        const packed = packWords(new Set(all));
        expect(all.filter((word) => !mayHaveWord(packed, word))).toEqual([]);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  test('seldom takes another for one of its own', () => {
    const packed = packWords(new Set(Array.from({ length: 10_000 }, (_, i) => `word_${i}`)));
    const others = Array.from({ length: 10_000 }, (_, i) => `other_${i}`).filter((word) => mayHaveWord(packed, word));
    expect(others.length).toBeLessThan(100);
    expect(packed.length).toBe(20_000);
  });
});
