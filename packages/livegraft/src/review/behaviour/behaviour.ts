/** Behaviour that mixes badly: while tasks move, old and new code run at the same time. */
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import type { ReviewSubject } from '../subject.ts';

export interface BehaviourReviewed {
  readonly findings: readonly Diagnostic[];
}

export async function reviewBehaviour(_subject: ReviewSubject): Promise<BehaviourReviewed> {
  return { findings: [] };
}
