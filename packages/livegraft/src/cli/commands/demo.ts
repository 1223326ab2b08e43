/** livegraft demo: a real regression, crashed, cured while it runs, and given back. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildCommand } from '@stricli/core';
import { Exit } from '../../diagnostics/diagnostic.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { wrap } from '../text.ts';
import { showBundle } from './build.ts';
import { showEvidence } from './try.ts';

export const demo = buildCommand<CommonFlags, [], Context>({
  docs: {
    brief: 'Show it all on a real regression of Debian’s kernel: the crash, the livepatch, the cure, the way back',
    fullDescription:
      'Fetches the kernel (about 220 MB) and works in virtual machines only; this machine’s kernel is not touched.\n\nExample: livegraft demo',
  },
  parameters: { flags: commonFlags },
  async func(flags) {
    await perform(this, 'demo', flags, async (session) => {
      const { playDemo } = await import('../../demo/demo.ts');
      const { print, style, progress, signal } = session;
      const width = Math.min(session.columns, 100);
      const result = await playDemo(
        {
          progress,
          signal,
          heading: (text) => print(`\n${style('bold', text)}`),
          tell: (text) => print(wrap(text, width)),
          code: (text) =>
            print(
              text
                .split('\n')
                .map((line) => style('dim', `    ${line}`))
                .join('\n'),
            ),
          showBundle: (bundle) => showBundle(bundle, session),
          showEvidence: (evidence) => showEvidence(evidence, session),
        },
        join(fileURLToPath(import.meta.url), '../../../../../../examples'),
      );
      return { result, exit: result.passed ? Exit.done : Exit.failed };
    });
  },
});
