/** Each function of the livepatch as a report shows it: source and machine code of both sides, what it refers to, what comes along. */
import type { FunctionReview, Leaving, NewFunctionReview } from '../../bundle/review.ts';
import type { FunctionVerdict } from '../../objdiff/diff.ts';
import type { ReviewSubject } from '../subject.ts';
import { codeOf } from './code.ts';
import { sourceOf } from './source.ts';
import { companionsOf, referencesOf, usersOf } from './surroundings.ts';

export function reviewFunctions(
  { extraction, units, files, causes }: ReviewSubject,
  leaving: ReadonlyMap<FunctionVerdict, readonly Leaving[]>,
): FunctionReview[] {
  return extraction.replaced.map(({ unit, verdict, piece }) => {
    const name = verdict.original!.name;
    const reviewed = units.find(({ source }) => source === unit.source)!;
    const code = { unit, piece, atom: verdict.patched! };
    return {
      name,
      object: unit.space.own.name,
      unit: unit.source,
      source: sourceOf(reviewed, files, name, causes.get(verdict) ?? []),
      code: codeOf(unit.diff, verdict),
      references: referencesOf(code, extraction.pieces),
      companions: companionsOf(code),
      leaving: leaving.get(verdict) ?? [],
    };
  });
}

export function reviewNewFunctions({ extraction, units, files }: ReviewSubject): NewFunctionReview[] {
  return extraction.added.map((added) => {
    const { unit, name, size, atom } = added;
    const reviewed = units.find(({ source }) => source === unit.source)!;
    return {
      name,
      object: unit.space.own.name,
      unit: unit.source,
      size,
      usedBy: usersOf(added, extraction.pieces),
      source: sourceOf(reviewed, files, name, []),
      code: codeOf(unit.diff, { name, patched: atom }),
      references: referencesOf(added, extraction.pieces),
      companions: companionsOf(added),
    };
  });
}
