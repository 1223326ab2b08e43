/** Data and its life cycle: what comes along, with which first value, and what becomes of it when the livepatch goes. */
import type { DataReview } from '../../bundle/review.ts';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import type { ReviewSubject } from '../subject.ts';

export interface DataReviewed {
  readonly findings: readonly Diagnostic[];
  readonly data: readonly DataReview[];
}

export async function reviewData(_subject: ReviewSubject): Promise<DataReviewed> {
  return { findings: [], data: [] };
}
