import { expect, test } from 'vitest';
import type { EvidenceStep } from '../bundle/evidence.ts';
import { transitionChart } from './chart.ts';

const step = (seconds?: number): EvidenceStep => ({
  number: 1,
  kind: 'load',
  subject: 'p',
  need: 'must',
  outcome: 'passed',
  ...(seconds === undefined ? {} : { seconds }),
  output: '',
  outputCut: false,
  newTaints: {},
});
const sample = (at: number, left: number, tasks = 50) => ({ at, left, tasks, inTransition: true, blockers: [] });
const pointsOf = (text: string): number[][] =>
  /class="line" points="([^"]+)"/
    .exec(text)![1]!
    .split(' ')
    .map((point) => point.split(',').map(Number));

test('transitionChart: within its frame, in time’s order, each count held until the next', () => {
  const { text } = transitionChart(step(4), [sample(1, 50), sample(2, 10), sample(3, 0)], {});
  const points = pointsOf(text);
  expect(points).toHaveLength(6);
  for (const [x, y] of points) {
    expect(x).toBeGreaterThanOrEqual(44);
    expect(x).toBeLessThanOrEqual(628);
    expect(y).toBeGreaterThanOrEqual(12);
    expect(y).toBeLessThanOrEqual(166);
  }
  expect(points.map(([x]) => x)).toEqual(points.map(([x]) => x).toSorted((a, b) => a! - b!));
  expect(points[0]![1]).toBe(12);
  expect(points.at(-1)![1]).toBe(166);
  expect(text).toContain(
    'aria-label="load p: at most 50 of 50 tasks still to move when counted, 0 at the end, after 4.0 s"',
  );
});

test('transitionChart: what was counted before the kernel began is left out; the way down is not claimed to be counted', () => {
  const { text } = transitionChart(step(4), [sample(0.1, 0), sample(1, 5)], { begin: 0.5, end: 4.5 });
  expect(pointsOf(text)).toHaveLength(2);
  expect(text).toContain('class="unseen-part"');
  expect(text).toContain('it took 4.0 s');
  expect(text).toMatch(/>begins<.*>complete</s);
});

test('transitionChart: one sample, no time, no tasks', () => {
  for (const seconds of [undefined, 0, 1e-9, 1e6]) {
    const { text } = transitionChart(step(seconds), [sample(0, 0, 0)], {});
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
    expect(text.match(/class="tick"/g)!.length).toBeLessThan(12);
  }
});
