/** What a patch does to existing variables and constants: most of it a livepatch cannot carry. */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/objdiff.ts';
import type { Atom, Reference } from './atoms.ts';
import { Comparison, type Difference, type Side } from './compare.ts';
import { type Correlation, isGlobal } from './correlate.ts';
import type { LineShift } from './line-numbers.ts';
import { isContentOnly, isOnceFlag, stem } from './names.ts';
import { holdsDescriptors } from './sections.ts';

/**
 * Existing variables must be as they were. A changed constant that only this unit knows is taken apart from its old self:
 * the functions that use it then count as changed and bring the new one along, all of them or none.
 */
export function settleData(
  unit: string,
  original: Side,
  patched: Side,
  named: Correlation,
  lines: LineShift | undefined,
): { correlation: Correlation; findings: Diagnostic[] } {
  const patchedOf = new Map(named.patchedOf);
  const originalOf = new Map(named.originalOf);
  const correlation: Correlation = { patchedOf, originalOf, evidence: named.evidence };
  const findings: Diagnostic[] = [];
  const reported = new Set<Atom>();
  for (let again = true; again; ) {
    again = false;
    const comparison = new Comparison(original, patched, correlation, lines);
    for (const [a, b] of patchedOf) {
      if (a.kind !== 'data' || (a.role !== 'data' && a.role !== 'rodata') || isContentOnly(a.name) || reported.has(b))
        continue;
      if (holdsDescriptors(a.section)) continue;
      const difference = comparison.difference(a, b);
      if (difference === undefined) continue;
      if (a.role === 'rodata' && b.role === 'rodata' && !isGlobal(a) && !isGlobal(b)) {
        patchedOf.delete(a);
        originalOf.delete(b);
        again = true;
        if (patched.object.references(b).some(keepsAddress))
          findings.push(say.constantReplaced({ unit, name: b.name }));
        continue;
      }
      reported.add(b);
      findings.push(
        say.dataChanged({
          unit,
          name: b.name,
          section: b.section.name,
          what: describe(original, patched, a, b, difference),
        }),
      );
    }
  }
  return { correlation, findings: [...findings, ...lostState(unit, original, patched, correlation)] };
}

/** True for an address that means something outside of the code it is used by: labels of a function do not. */
function keepsAddress({ target }: Reference): boolean {
  return target.kind === 'symbol' || target.atom.kind !== 'function' || target.at === 0;
}

/** Variables of the patched object that look like ones of the original but could not be told apart. */
function lostState(unit: string, original: Side, patched: Side, correlation: Correlation): Diagnostic[] {
  const isState = (atom: Atom): boolean =>
    atom.role === 'data' && atom.kind === 'data' && !holdsDescriptors(atom.section);
  const orphans = new Set(
    original.object.atoms
      .filter((atom) => isState(atom) && !correlation.patchedOf.has(atom))
      .map((atom) => stem(atom.name)),
  );
  return patched.object.atoms
    .filter(
      (atom) => isState(atom) && atom.size > 0 && !correlation.originalOf.has(atom) && orphans.has(stem(atom.name)),
    )
    .map(({ name }) => (isOnceFlag(name) ? say.onceFlagRestarts({ unit, name }) : say.stateLost({ unit, name })));
}

function describe(original: Side, patched: Side, a: Atom, b: Atom, difference: Difference): string {
  if (difference.what === 'section') return `it moves from ${a.section.name} to ${b.section.name}`;
  if (a.size !== b.size) return `its size goes from ${a.size} to ${b.size} bytes`;
  if (difference.what === 'bytes') {
    const value = (side: Side, atom: Atom): string => {
      const from = difference.offset & ~7;
      return Buffer.from(side.object.bytes(atom).subarray(from, from + 8)).toString('hex');
    };
    return `its initial value differs at byte ${difference.offset}: ${value(original, a)} becomes ${value(patched, b)}`;
  }
  return `what it points to differs at byte ${difference.offset}`;
}
