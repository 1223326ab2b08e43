/** Functions that are hard to leave, and those whose every call counts: who will hold the transition up, and what the patch costs. */
import type { Leaving } from '../../bundle/review.ts';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import type { FunctionVerdict } from '../../objdiff/diff.ts';
import type { ReviewSubject } from '../subject.ts';

export interface LeavingReviewed {
  readonly findings: readonly Diagnostic[];
  readonly byFunction: ReadonlyMap<FunctionVerdict, readonly Leaving[]>;
}

export async function reviewLeaving(_subject: ReviewSubject): Promise<LeavingReviewed> {
  return { findings: [], byFunction: new Map() };
}
