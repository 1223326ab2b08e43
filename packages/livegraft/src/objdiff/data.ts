/** What a patch does to existing variables and constants: most of it a livepatch cannot carry. */
import { SHT } from '@livegraft/binfmt/elf/constants';
import { ignoreTooMuch } from '../diagnostics/author.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/objdiff.ts';
import { isNamed } from '../support/author.ts';
import type { Atom, Reference, Target } from './atoms.ts';
import { Comparison, type Difference, type Side } from './compare.ts';
import { type Correlation, isGlobal } from './correlate.ts';
import type { LineShift } from './line-numbers.ts';
import { isContentOnly, isOnceFlag, stem } from './names.ts';
import { family, holdsDescriptors } from './sections.ts';

/**
 * Existing variables must be as they were. A changed constant that only this unit knows is taken apart from its old self:
 * the functions that use it then count as changed and bring the new one along, all of them or none.
 * @param ignored variables that keep the value they have, as the patch says
 */
export function settleData(
  unit: string,
  original: Side,
  patched: Side,
  named: Correlation,
  lines: LineShift,
  ignored: readonly string[] = [],
): { correlation: Correlation; findings: Diagnostic[]; ignoredData: ReadonlySet<string> } {
  const patchedOf = new Map(named.patchedOf);
  const originalOf = new Map(named.originalOf);
  const correlation: Correlation = { patchedOf, originalOf, evidence: named.evidence };
  const findings: Diagnostic[] = [];
  const reported = new Set<Atom>();
  const ignoredData = new Set<string>();
  for (let again = true; again; ) {
    again = false;
    const comparison = new Comparison(original, patched, correlation, lines);
    for (const [a, b] of patchedOf) {
      if (a.kind !== 'data' || (a.role !== 'data' && a.role !== 'rodata') || isContentOnly(a) || reported.has(b))
        continue;
      if (holdsDescriptors(a.section)) continue;
      const difference = comparison.difference(a, b);
      if (difference === undefined) continue;
      if (ignored.some((name) => isNamed(b.name, name))) {
        const what = moreThanItsValue(a, b, difference);
        if (what !== undefined) findings.push(ignoreTooMuch({ unit, name: b.name, what }));
        ignoredData.add(b.name);
        reported.add(b);
        continue;
      }
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
          ...describe(original, patched, a, b, difference),
        }),
      );
    }
  }
  return { correlation, findings: [...findings, ...lostState(unit, original, patched, correlation)], ignoredData };
}

/** What of a change is not another initial value, so that code which was compiled for it cannot use the variable that is there. */
function moreThanItsValue(a: Atom, b: Atom, difference: Difference): string | undefined {
  if (a.size !== b.size) return `its size goes from ${a.size} to ${b.size} bytes`;
  // zero and another value lie in different sections
  const isPlain = ({ section }: Atom): boolean => /^\.(data|bss)$/.test(family(section.name));
  if (difference.what !== 'section' || (isPlain(a) && isPlain(b))) return undefined;
  return `it moves from ${a.section.name} to ${b.section.name}`;
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

interface DataChange {
  readonly what: string;
  /** C that would bring a running variable to the new value, where one statement does. */
  readonly statement?: string;
}

function describe(original: Side, patched: Side, a: Atom, b: Atom, difference: Difference): DataChange {
  if (a.size !== b.size) return { what: `its size goes from ${a.size} to ${b.size} bytes` };
  const left = numberIn(original, a);
  const right = numberIn(patched, b);
  // zero and another value lie in different sections
  if (left !== undefined && right !== undefined && left !== right) {
    return {
      what: `its initial value goes from ${left} to ${right}`,
      ...(/\.\d/.test(b.name) ? {} : { statement: `${b.name} = ${right};` }),
    };
  }
  if (difference.what === 'section') return { what: `it moves from ${a.section.name} to ${b.section.name}` };
  if (difference.what === 'reference') {
    const { offset, before, after } = difference;
    return { what: `its pointer at byte ${offset} goes from ${nameOf(before)} to ${nameOf(after)}` };
  }
  const from = difference.offset & ~7;
  const bytes = (side: Side, atom: Atom): string =>
    Buffer.from(side.object.bytes(atom).subarray(from, from + 8))
      .toString('hex')
      .replace(/..(?=.)/g, '$& ');
  return difference.what === 'bytes'
    ? {
        what: `its initial value differs at byte ${difference.offset}: ${bytes(original, a)} becomes ${bytes(patched, b)}`,
      }
    : { what: `what it points to differs at byte ${difference.offset}` };
}

/** The value of a variable that is a number; undefined for all others. */
function numberIn({ object }: Side, atom: Atom): bigint | undefined {
  if (![1, 2, 4, 8].includes(atom.size) || object.references(atom).length > 0) return undefined;
  if (atom.section.type === SHT.NOBITS) return 0n;
  const value = [...object.bytes(atom)].reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return BigInt.asIntN(8 * atom.size, value);
}

function nameOf(target: Target): string {
  if (target.kind === 'symbol') return target.symbol.name;
  return target.atom.name || `something in ${target.atom.section.name}`;
}
