import { expect, test } from 'vitest';
import { log2Quantile, quantile, spread, trend } from './statistics.mjs';

test('quantile takes the nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect([0, 0.5, 0.95, 0.999, 1].map((share) => quantile(values, share))).toEqual([1, 50, 95, 100, 100]);
  expect(spread([3])).toEqual({ min: 3, median: 3, p95: 3, max: 3 });
});

test('trend is exact on a line, and knows its error on noise', () => {
  expect(trend([5, 7, 9, 11])).toEqual({ slope: 2, error: 0 });
  // y = 0, 1, 0, 1: slope 0.2, residues 0.8, sxx 5
  const { slope, error } = trend([0, 1, 0, 1]);
  expect(slope).toBeCloseTo(0.2, 12);
  expect(error).toBeCloseTo(Math.sqrt(0.8 / 2 / 5), 12);
  expect(trend([1, 2]).error).toBe(Number.POSITIVE_INFINITY);
});

test('log2Quantile gives the upper end of the bucket', () => {
  expect(log2Quantile([0, 1, 0, 98, 1], 0.5)).toBe(8);
  expect(log2Quantile([0, 1, 0, 98, 1], 1)).toBe(16);
});
