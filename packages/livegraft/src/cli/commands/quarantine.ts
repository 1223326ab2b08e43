/** livegraft quarantine: bundles that the machine went down with. */
import { buildCommand } from '@stricli/core';
import { plural } from '../../support/plural.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { requireRoot } from '../host.ts';
import { table } from '../text.ts';

interface Flags extends CommonFlags {
  readonly lift?: boolean;
}

export const quarantine = buildCommand<Flags, [string?], Context>({
  docs: {
    brief: 'Bundles that the machine went down with, and are kept out',
    fullDescription:
      'A bundle that was being loaded, settled or taken back when the machine went down is told after the first time and quarantined after the second: `load` and `boot` refuse it. A crash and a power cut look the same. --lift takes back what stands against it.\n\nExample: livegraft quarantine\n         livegraft quarantine livegraft_fix --lift',
  },
  parameters: {
    flags: {
      ...commonFlags,
      lift: { kind: 'boolean', optional: true, withNegated: false, brief: 'Take back what stands against NAME' },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'Only this one', parse: String, placeholder: 'NAME', optional: true }],
    },
  },
  async func({ lift = false, ...flags }, word) {
    await perform(this, 'quarantine', flags, async (session) => {
      const [
        { hostRoots: roots },
        live,
        { readBootId, readJournal },
        { when },
        { changeKernel },
        { LivegraftError },
        say,
      ] = await Promise.all([
        import('../../host/roots.ts'),
        import('../../live/quarantine.ts'),
        import('../../host/journal/journal.ts'),
        import('../../live/recover.ts'),
        import('../change-kernel.ts'),
        import('../../diagnostics/diagnostic.ts'),
        import('../../diagnostics/journal.ts'),
      ]);
      const name = word?.replaceAll('-', '_');
      if (!lift) {
        const all = live.suspects(readJournal(roots).entries, readBootId(roots));
        const shown = all.filter((each) => name === undefined || each.name === name);
        const rows = shown.map(({ name: which, moduleId, quarantined, times }) => [
          which,
          quarantined ? 'quarantined' : 'suspected',
          moduleId.slice(0, 12),
          `the machine went down ${plural(times.length, 'time')}: ${times.map(when).join(', ')}`,
        ]);
        session.print(rows.length === 0 ? 'Nothing is quarantined' : table(rows));
        return { result: { bundles: shown } };
      }
      if (name === undefined) throw new LivegraftError(say.liftNothing({}));
      requireRoot('quarantine --lift');
      return changeKernel(session, roots, async ({ journal }) => {
        const lifted = await live.lift(journal, name);
        session.print(`${name} may be loaded again`);
        return { result: { lifted } };
      });
    });
  },
});
