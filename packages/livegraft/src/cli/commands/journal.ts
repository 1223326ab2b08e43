/** livegraft journal: what was tried on this machine. */
import { buildCommand } from '@stricli/core';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { whole } from '../guest-flags.ts';
import { table } from '../text.ts';

interface Flags extends CommonFlags {
  readonly lines: number;
}

export const journal = buildCommand<Flags, [], Context>({
  docs: {
    brief: 'What was tried on this machine, the newest last',
    fullDescription:
      'One line an attempt: when, what, by whom, and its end. What is loaded now only the kernel can say: livegraft status.\n\nExample: livegraft journal\n         livegraft journal --json',
  },
  parameters: {
    flags: {
      ...commonFlags,
      lines: { kind: 'parsed', parse: whole, default: '30', brief: 'So many attempts', placeholder: 'N' },
    },
  },
  async func({ lines, ...flags }) {
    await perform(this, 'journal', flags, async ({ print, style }) => {
      const [{ hostRoots: roots }, { journalPath, readBootId, readJournal }, { attemptsOf, wentDown }, { when }, say] =
        await Promise.all([
          import('../../host/roots.ts'),
          import('../../host/journal/journal.ts'),
          import('../../host/journal/attempts.ts'),
          import('../../live/recover.ts'),
          import('../../diagnostics/journal.ts'),
        ]);
      const { entries, torn, damaged } = readJournal(roots);
      const bootId = readBootId(roots);
      const attempts = attemptsOf(entries)
        .map((attempt) => (wentDown(attempt, bootId) ? { ...attempt, state: 'down' as const } : attempt))
        .slice(-lines);
      const rows = attempts.map(({ time, action, name, user, uid, state, outcome, exit = 0, step }) => {
        const end =
          state === 'down'
            ? `the machine went down after “${step}”`
            : outcome === undefined
              ? state === 'open'
                ? `no end, after “${step}”`
                : ''
              : `${outcome}${exit === 0 ? '' : `, exit code ${exit}`}${state === 'unsettled' ? ', not settled yet' : ''}`;
        return [when(time), action, name, user ?? `uid ${uid}`, end];
      });
      print(rows.length === 0 ? 'Nothing was tried here yet' : table(rows));
      if (torn > 0)
        print(style('dim', 'The last line was cut off by a power cut or a kill: what it announced was not begun'));
      const problem = damaged[0]?.problem;
      const path = journalPath(roots);
      const damage =
        problem === undefined ? [] : [say.journalDamaged({ path, lines: damaged.map(({ line }) => line), problem })];
      return { result: { path, bootId, attempts, torn, damaged }, diagnostics: damage };
    });
  },
});
