/** A transition over time as a drawing: how many tasks still had to move. */
import type { EvidenceStep } from '../bundle/evidence.ts';
import { type Html, html } from './html.ts';
import { seconds } from './words.ts';

type Samples = NonNullable<EvidenceStep['transition']>;

/** Pixels of the drawing’s own measure; it is drawn as wide as there is room. */
const size = { width: 640, height: 200, left: 44, right: 12, top: 12, bottom: 34 } as const;

/** What the kernel’s log says of the transition, in seconds since the step began. */
export interface Marks {
  readonly begin?: number;
  readonly end?: number;
}

/**
 * @param counted at least one
 * @param marks at `begin` no task has moved yet: that is known without counting
 */
export function transitionChart(
  { kind, subject, seconds: whole = 0 }: EvidenceStep,
  counted: Samples,
  { begin, end }: Marks,
): Html {
  // what is counted before the transition begins says nothing about it
  const within = counted.filter(({ at }) => begin === undefined || at >= begin);
  const samples = within.length > 0 ? within : counted;
  const last = Math.max(whole, samples.at(-1)!.at, end ?? 0, 0.1);
  const most = Math.max(...samples.map(({ tasks }) => tasks), 1);
  const x = (at: number): number => round(size.left + (at / last) * (size.width - size.left - size.right));
  const y = (left: number): number => round(size.top + (1 - left / most) * (size.height - size.top - size.bottom));
  // each sample holds until the next
  const points = samples.flatMap(({ at, left }, i) => {
    const until = samples[i + 1]?.at ?? last;
    return [`${x(at)},${y(left)}`, `${x(until)},${y(left)}`];
  });
  const floor = y(0);
  const first = samples[0]!;
  const unseen =
    begin !== undefined &&
    begin < first.at &&
    html`<line class="unseen-part" x1="${x(begin)}" x2="${x(first.at)}" y1="${y(most)}" y2="${y(first.left)}"/>`;
  const mark = (at: number | undefined, word: string, anchor: 'start' | 'end'): Html | undefined =>
    at === undefined || at < 0 || at > last
      ? undefined
      : html`<line class="mark" x1="${x(at)}" x2="${x(at)}" y1="${size.top}" y2="${floor}"/><text x="${x(at) + (anchor === 'start' ? 5 : -5)}" y="${floor - 8}" text-anchor="${anchor}">${word}</text>`;
  const ticks = ticksOf(last);
  const levels = [...new Set([0, Math.round(most / 2), most])];
  const highest = Math.max(...samples.map(({ left }) => left));
  const took = begin === undefined || end === undefined ? '' : `; by the kernel’s log it took ${seconds(end - begin)}`;
  const words = `${kind} ${subject}: at most ${highest} of ${most} tasks still to move when counted, ${samples.at(-1)!.left} at the end, after ${seconds(last)}${took}`;
  return html`<svg class="chart" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${words}">
${levels.map((level) => html`<line class="grid" x1="${size.left}" x2="${size.width - size.right}" y1="${y(level)}" y2="${y(level)}"/><text x="${size.left - 6}" y="${y(level) + 4}" text-anchor="end">${level}</text>`)}
${ticks.map((at) => html`<line class="tick" x1="${x(at)}" x2="${x(at)}" y1="${floor}" y2="${floor + 5}"/><text x="${x(at)}" y="${floor + 18}" text-anchor="middle">${at}</text>`)}
${mark(begin, 'begins', begin !== undefined && begin > last * 0.8 ? 'end' : 'start')}${mark(end, 'complete', end !== undefined && end < last * 0.2 ? 'start' : 'end')}${unseen}
<polygon class="area" points="${x(first.at)},${floor} ${points.join(' ')} ${x(last)},${floor}"/><polyline class="line" points="${points.join(' ')}"/>
${samples.map(({ at, left }) => html`<circle class="dot" cx="${x(at)}" cy="${y(left)}" r="3"/>`)}
<text class="axis" x="${size.width - size.right}" y="${size.height - 2}" text-anchor="end">seconds since the step began</text></svg>`;
}

/** Four to eight, at round numbers. */
function ticksOf(last: number): number[] {
  const rough = last / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough)!;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => Number((i * step).toFixed(digits)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
