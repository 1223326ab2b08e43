/** Each replaced function as a report shows it: source and machine code of both sides, what it refers to, what comes along. */
import type { FunctionReview, Leaving } from '../../bundle/review.ts';
import type { FunctionVerdict } from '../../objdiff/diff.ts';
import type { ReviewSubject } from '../subject.ts';
import { codeOf } from './code.ts';
import { sourceOf } from './source.ts';
import { companionsOf, referencesOf } from './surroundings.ts';

export function reviewFunctions(
  { extraction, units, files, causes }: ReviewSubject,
  leaving: ReadonlyMap<FunctionVerdict, readonly Leaving[]>,
): FunctionReview[] {
  return extraction.replaced.map((replaced) => {
    const { unit, verdict } = replaced;
    const name = verdict.original!.name;
    const reviewed = units.find(({ source }) => source === unit.source)!;
    return {
      name,
      object: unit.space.own.name,
      unit: unit.source,
      source: sourceOf(reviewed, files, name, causes.get(verdict) ?? []),
      code: codeOf(unit.diff, verdict),
      references: referencesOf(replaced, extraction.pieces),
      companions: companionsOf(replaced),
      leaving: leaving.get(verdict) ?? [],
    };
  });
}
