/** livegraft review: what a person must know before a bundle is loaded. */
import { buildCommand } from '@stricli/core';
import { Exit } from '../../diagnostics/diagnostic.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';

interface Flags extends CommonFlags {
  readonly check?: boolean;
}

export const review = buildCommand<Flags, [string], Context>({
  docs: {
    brief: 'Show what is to be judged about a bundle before it is loaded',
    fullDescription:
      'The verdict, the findings by weight, then what is replaced and why; --verbose adds the source and the machine code, --json has all of it. Changes nothing.\n\nExample: livegraft review livegraft_fix',
  },
  parameters: {
    flags: {
      ...commonFlags,
      check: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Exit code 4 when a finding needs a person’s judgement',
      },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'The bundle’s folder', parse: String, placeholder: 'BUNDLE' }],
    },
  },
  async func({ check = false, ...flags }, path) {
    await perform(this, 'review', flags, async (session) => {
      const [{ readBundle, readReview }, { showReview }] = await Promise.all([
        import('../../bundle/bundle.ts'),
        import('../show-review.ts'),
      ]);
      const bundle = await readBundle(path);
      const result = await readReview(bundle);
      showReview(bundle.manifest, result, session);
      return { result, exit: check && result.verdict.state !== 'clear' ? Exit.refused : Exit.done };
    });
  },
});
