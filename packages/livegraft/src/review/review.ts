/** The review of a build: what can be found mechanically, and the rest laid out for a person. */
import { stated } from '../bundle/finding.ts';
import type { Review } from '../bundle/review.ts';
import { type Diagnostic, LivegraftError, type Severity } from '../diagnostics/diagnostic.ts';
import { reviewBehaviour } from './behaviour/behaviour.ts';
import { reviewData } from './data/data.ts';
import { withExcerpts } from './excerpts.ts';
import { reviewFunctions, reviewNewFunctions } from './functions/functions.ts';
import { reviewLeaving } from './leaving/leaving.ts';
import type { ReviewSubject } from './subject.ts';
import { reviewTypes } from './types/types.ts';

/** What each part of the review brings: findings, and what the report shows whether or not it is a finding. */
export interface Reviewed {
  readonly findings: readonly Diagnostic[];
  readonly review: Pick<Review, 'functions' | 'added' | 'data' | 'types'>;
}

/** All findings that stop a build (exit 4); what else was found is there for who wants to know all of it at once. */
export class ReviewRefused extends LivegraftError {
  readonly besides: readonly Diagnostic[];

  constructor(stops: readonly [Diagnostic, ...Diagnostic[]], besides: readonly Diagnostic[]) {
    super(...stops);
    this.besides = besides;
  }
}

/** Throws ReviewRefused. */
export async function reviewChanges(subject: ReviewSubject): Promise<Reviewed> {
  const data = reviewData(subject);
  const [types, behaviour, leaving] = await Promise.all([
    reviewTypes(subject),
    reviewBehaviour(subject),
    reviewLeaving(subject),
  ]);
  const found = [types, behaviour, leaving, data].flatMap((part) => part.findings);
  const findings = withExcerpts(found, subject);
  const [first, ...more] = findings.filter(({ severity }) => severity === 'error');
  if (first !== undefined) {
    const besides = findings.filter(({ severity }) => severity !== 'error');
    throw new ReviewRefused([first, ...more], besides.toSorted(byWeight));
  }
  return {
    findings,
    review: {
      functions: reviewFunctions(subject, leaving.byFunction),
      added: reviewNewFunctions(subject),
      data: data.data,
      types: types.types,
    },
  };
}

const weight: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };
const byWeight = (a: Diagnostic, b: Diagnostic): number => weight[a.severity] - weight[b.severity];

/**
 * @param findings of all stages of the build
 * @param module its sha256
 */
export function writtenReview(
  { review }: Reviewed,
  findings: readonly Diagnostic[],
  name: string,
  module: string,
): Review {
  const open = findings.filter(({ severity }) => severity === 'warning').length;
  const verdict: Review['verdict'] =
    open === 0
      ? { state: 'clear', sentence: 'Nothing was found that needs a person’s judgement.' }
      : {
          state: 'judgement',
          sentence: `${open === 1 ? 'One finding needs' : `${open} findings need`} your judgement.`,
        };
  const sorted = findings.toSorted(byWeight);
  return { schema: 1, name, module, verdict, findings: sorted.map(stated), ...review };
}
