/** livegraft metrics: the state of the livepatches for Prometheus. */
import { buildCommand } from '@stricli/core';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { isRoot } from '../host.ts';

interface Flags extends CommonFlags {
  readonly output?: string;
}

export const metrics = buildCommand<Flags, [], Context>({
  docs: {
    brief: 'What the kernel says of its livepatches, for Prometheus',
    fullDescription:
      'Prints the text that node_exporter’s textfile collector reads; with --output the file appears whole, by rename. Who holds a transition back is told to root only.\n\nExample: livegraft metrics\n         livegraft metrics --output /var/lib/prometheus/node-exporter/livegraft.prom',
  },
  parameters: {
    flags: {
      ...commonFlags,
      output: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'Write it there instead (a file that ends with .prom)',
        placeholder: 'FILE',
      },
    },
    aliases: { o: 'output' },
  },
  async func({ output, ...flags }) {
    await perform(this, 'metrics', flags, async ({ print }) => {
      const [{ hostRoots: roots }, { readStatus }, { readStanding }, { metricsText }, { writeFileWhole }] =
        await Promise.all([
          import('../../host/roots.ts'),
          import('../../live/status.ts'),
          import('../../live/standing.ts'),
          import('../../live/metrics.ts'),
          import('../../support/files.ts'),
        ]);
      const text = metricsText(await readStatus(roots, isRoot()), await readStanding(roots), Date.now() / 1000);
      if (output === undefined) print(text.trimEnd());
      else await writeFileWhole(output, text);
      return { result: { output: output ?? null, text } };
    });
  },
});
