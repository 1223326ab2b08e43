/** Targets behind the report: whatever a bundle's files hold, the page is whole, and nothing of them becomes a tag. */
import * as v from 'valibot';
import { evidenceSchema } from '../../bundle/evidence.ts';
import { reviewSchema } from '../../bundle/review.ts';
import { bytesOf } from '../../patch/text.ts';
import { type ReportContent, reportHtml } from '../../report/report.ts';
import { reportContent } from '../../report/testing/content.ts';
import { byteMutators } from './bytes.ts';
import type { Target } from './targets.ts';
import { jsonMutators, textMutators } from './text.ts';

const content = reportContent();

function onContent(
  name: string,
  seed: string,
  change: (input: Uint8Array) => Partial<ReportContent> | undefined,
): Target {
  return {
    name,
    takes: 'other',
    seeds: () => [bytesOf(seed)],
    mutators: { ...textMutators, ...byteMutators, ...jsonMutators },
    errors: 'livegraft',
    run: (input) => {
      const changed = change(input);
      if (changed === undefined) return 'refused';
      const page = reportHtml({ ...content, ...changed });
      const tags = page.match(/<(script|style|main|\/html)\b/g)?.join(' ');
      if (tags !== '<style <main <script </html') throw new Error(`the page has ${tags}`);
      return 'page';
    },
  };
}

function parsed<T extends v.GenericSchema>(schema: T, input: Uint8Array): v.InferOutput<T> | undefined {
  try {
    const { success, output } = v.safeParse(schema, JSON.parse(Buffer.from(input).toString()));
    return success ? output : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export const reportTargets: readonly Target[] = [
  onContent('report-review', JSON.stringify(content.review), (input) => {
    const review = parsed(reviewSchema, input);
    return review === undefined ? undefined : { review };
  }),
  onContent('report-evidence', JSON.stringify(content.evidence), (input) => {
    const evidence = parsed(evidenceSchema, input);
    return evidence === undefined ? undefined : { evidence };
  }),
  onContent('report-patch', Buffer.from(content.patches[0]!.bytes).toString('latin1'), (input) => ({
    patches: [{ name: 'a.patch', bytes: input }],
  })),
];
