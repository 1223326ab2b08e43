/** Verdicts that explain themselves: the cause in words and as a chain, and the first instruction that differs, on both sides. */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Diff, FunctionVerdict, Verdict } from './diff.ts';
import { type Cause, sayCauses } from './explain/cause.ts';
import { contextOf, divergenceOf } from './explain/context.ts';
import { type FirstDifference, firstDifference } from './explain/first.ts';
import { objectCauses } from './explain/object-causes.ts';
import { positionsIn } from './explain/position.ts';

export interface ExplainedFunction {
  /** In the original object; of a new function its own. */
  readonly name: string;
  /** Where the compiler numbered it otherwise. */
  readonly patchedName?: string;
  /** `cannot`: it is not as it was, and a livepatch cannot carry that; `findings` say why. */
  readonly verdict: Verdict | 'cannot';
  /** Which of the symbols of its name, as the livepatch core counts; absent for new functions and where a kernel does not have it. */
  readonly sympos?: number;
  /** How the pair was found, where it was not by its name. */
  readonly matchedBy?: string;
  readonly why: string;
  readonly causes: readonly Cause[];
  readonly first?: FirstDifference;
  /** Codes of the findings that stand in its way. */
  readonly findings?: readonly string[];
}

/**
 * Every function of the two objects. Only those that are not as they were are disassembled.
 * @param positionOf `sympos` by the name in the original object, where a kernel tells; undefined for what it does not have. Without
 * it the object's own symbols are counted.
 */
export function explainFunctions(
  diff: Diff,
  positionOf?: (name: string) => number | undefined,
): readonly ExplainedFunction[] {
  const context = contextOf(diff);
  const positionInObject = positionsIn(diff.original.object.elf);
  const findings = findingsByName(diff.findings);
  return diff.functions.map((verdict) => {
    const divergence = divergenceOf(context, verdict);
    const { original, patched } = verdict;
    const name = original?.name ?? verdict.name;
    const refused = [...new Set([name, verdict.name].flatMap((each) => findings.get(each) ?? []))];
    const causes = objectCauses(context, verdict, divergence);
    const first = firstDifference(context, verdict, divergence);
    const sympos = original && (positionOf === undefined ? positionInObject(original.symbols[0]!) : positionOf(name));
    const evidence = patched && diff.correlation.evidence.get(patched);
    return {
      name,
      ...(patched === undefined || patched.name === name ? {} : { patchedName: patched.name }),
      verdict: refused.length > 0 && verdict.verdict !== 'unchanged' ? 'cannot' : verdict.verdict,
      ...(sympos === undefined ? {} : { sympos }),
      ...(evidence === undefined || evidence === 'name' || original === undefined ? {} : { matchedBy: evidence }),
      why: inWords(verdict, causes),
      causes,
      ...(first === undefined ? {} : { first }),
      ...(refused.length > 0 ? { findings: refused.map((finding) => finding.code) } : {}),
    };
  });
}

/** One clause; empty for unchanged functions. */
function inWords({ verdict }: FunctionVerdict, causes: readonly Cause[]): string {
  if (causes.length > 0) return sayCauses(causes);
  return verdict === 'removed' ? 'not in the patched object' : '';
}

/** What stands in the way, by the name that it is about. */
function findingsByName(findings: readonly Diagnostic[]): ReadonlyMap<string, readonly Diagnostic[]> {
  const found = new Map<string, Diagnostic[]>();
  for (const finding of findings) {
    if (finding.severity !== 'error') continue;
    for (const name of new Set([finding.data?.['function'], finding.data?.['name']])) {
      if (typeof name !== 'string') continue;
      const list = found.get(name);
      if (list === undefined) found.set(name, [finding]);
      else list.push(finding);
    }
  }
  return found;
}
