/** Behaviour that mixes badly: while tasks move, old and new code run at the same time. */
import type { Diagnostic, Spot } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-behaviour.ts';
import type { PatchedFile } from '../../patch/apply.ts';
import type { ReviewSubject } from '../subject.ts';
import { flagFindings } from './bits.ts';
import { callbackFindings } from './callbacks.ts';
import { exportedChanges } from './exported.ts';
import { meaningFindings } from './meaning.ts';
import { orderFindings } from './order.ts';
import { type ChangedSide, movedSides, type Side } from './sides.ts';
import { type ChangedSource, changedSource } from './sources.ts';

export interface BehaviourReviewed {
  readonly findings: readonly Diagnostic[];
}

export async function reviewBehaviour(
  subject: Pick<ReviewSubject, 'files' | 'kernel' | 'image' | 'extraction' | 'causes'>,
): Promise<BehaviourReviewed> {
  const found = behaviourOf([...subject.files.values()]);
  return { findings: [...found.map((each) => withReplaced(each, subject)), ...(await exportedChanges(subject))] };
}

/** A function of the text that has no code of its own is replaced as part of those that it was inlined into: they are concerned too. */
function withReplaced(
  finding: Diagnostic,
  { extraction, causes }: Pick<ReviewSubject, 'extraction' | 'causes'>,
): Diagnostic {
  const named = new Set(finding.functions);
  const carriers = extraction.replaced.filter(({ verdict }) =>
    causes.get(verdict)?.some((cause) => (cause.kind === 'inlined' || cause.kind === 'clone') && named.has(cause.name)),
  );
  return { ...finding, functions: [...new Set([...named, ...carriers.map(({ verdict }) => verdict.original!.name)])] };
}

/** What the texts alone show: byte strings of files, before and after. */
export function behaviourOf(files: readonly Pick<PatchedFile, 'path' | 'original' | 'patched'>[]): Diagnostic[] {
  const sources = files.filter(({ path }) => /\.[ch]$/.test(path)).map(changedSource);
  return [
    ...sideFindings(sources),
    ...sources.flatMap((source) => [...orderFindings(source), ...meaningFindings(source), ...callbackFindings(source)]),
    ...flagFindings(sources),
  ];
}

/** One finding a lock or kind of reference, with all functions whose side of it changes. */
function sideFindings(sources: readonly ChangedSource[]): Diagnostic[] {
  return movedSides(sources).map(({ what, name, ends }) => {
    const spots = ends.map((end): Spot => ({ file: end.file, line: end.line, side: end.side, what: inWords(end) }));
    const facts = { file: ends[0]!.file, name, functions: ends.map((end) => end.function), spots };
    return what === 'lock' ? say.lockSideMoved(facts) : say.referenceSideMoved(facts);
  });
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
