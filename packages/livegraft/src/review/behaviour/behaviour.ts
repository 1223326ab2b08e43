/** Behaviour that mixes badly: while tasks move, old and new code run at the same time. */
import type { Diagnostic, Spot } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-behaviour.ts';
import type { PatchedFile } from '../../patch/apply.ts';
import { type Declaration, declarationsOf } from '../../patch/declarations.ts';
import type { ReviewSubject } from '../subject.ts';
import { type ChangedSide, changedSides, type Side } from './sides.ts';

export interface BehaviourReviewed {
  readonly findings: readonly Diagnostic[];
}

export function reviewBehaviour({ files }: Pick<ReviewSubject, 'files'>): BehaviourReviewed {
  return { findings: [...files.values()].flatMap(sideFindings) };
}

/** One finding a lock or kind of reference, with all functions whose side of it changes. */
function sideFindings({ path: file, original, patched }: PatchedFile): Diagnostic[] {
  const groups = new Map<string, ChangedSide[]>();
  for (const change of changedSides(functionsOf(original), functionsOf(patched))) {
    const key = `${change.what} ${change.name}`;
    groups.set(key, [...(groups.get(key) ?? []), change]);
  }
  return [...groups.values()].map((changes) => {
    const [{ what, name }] = changes as [ChangedSide, ...ChangedSide[]];
    const spots = changes.map(
      (change): Spot => ({ file, line: change.line, side: change.side, what: inWords(change) }),
    );
    const facts = { file, name, functions: changes.map((change) => change.function), spots };
    return what === 'lock' ? say.lockSideMoved(facts) : say.referenceSideMoved(facts);
  });
}

function functionsOf(text: string): ReadonlyMap<string, Declaration> {
  return new Map(
    declarationsOf(text)
      .filter(({ kind }) => kind === 'function')
      .map((each) => [each.name, each]),
  );
}

const words: Readonly<Record<Side, string>> = {
  neither: 'does neither',
  takes: 'takes',
  gives: 'gives back',
  both: 'takes and gives back',
};

function inWords({ function: name, before, after }: ChangedSide): string {
  return `${name}() ${words[after]}; before it ${before === 'neither' ? 'did neither' : words[before].replace('takes', 'took').replace('gives', 'gave')}`;
}
