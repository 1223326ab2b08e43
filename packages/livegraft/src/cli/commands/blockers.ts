/** livegraft blockers: who holds a transition back, and why. */
import { buildCommand } from '@stricli/core';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { requireRoot } from '../host.ts';
import { blockersText } from '../show-blockers.ts';

export const blockers = buildCommand<CommonFlags, string[], Context>({
  docs: {
    brief: 'Who holds the transition back, and why',
    fullDescription:
      'Changes nothing. For each task that still runs the old code: what it does, in which function, since when, and what can be done, safest first. --verbose adds the stacks. Without a transition it says so and ends with 0; with one that is held back, too.\n\nExample: livegraft blockers\n         livegraft blockers livegraft_fix --json',
  },
  parameters: {
    flags: commonFlags,
    positional: {
      kind: 'array',
      maximum: 1,
      parameter: { brief: 'Only of this one', parse: String, placeholder: 'NAME|BUNDLE' },
    },
  },
  async func(flags, word) {
    await perform(this, 'blockers', flags, async ({ print, style, verbose, signal, screen }) => {
      requireRoot('blockers');
      const { findHeld } = await import('../held.ts');
      const held = await findHeld(word, signal);
      if (held.side === null) {
        print(held.words);
        return { result: { name: held.name, side: null, blockers: [] } };
      }
      const { name, side, tasks, seconds, uptime, found } = held;
      const since = seconds === undefined ? {} : { seconds };
      if (found.length === 0) print(`${name}: every task has moved; the transition ends with the kernel’s next look`);
      else {
        const view = { patch: name, target: side, blockers: found, tasks, uptime, ...since };
        print(blockersText(view, style, verbose, screen));
      }
      return { result: { name, side, tasks, uptime, ...since, blockers: found } };
    });
  },
});
