/** livegraft watch: a transition that is going on, to its end. */
import { buildCommand } from '@stricli/core';
import * as say from '../../diagnostics/host.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { exitOf, movedWords, requireRoot, seconds } from '../host.ts';

interface Flags extends CommonFlags {
  readonly timeout?: number;
}

export const watch = buildCommand<Flags, string[], Context>({
  docs: {
    brief: 'Follow the transition that is going on',
    fullDescription:
      'Changes nothing; Ctrl-C only ends the watching. Without a transition it says so and ends. Exit code 6: not done within --timeout.\n\nExample: livegraft watch\n         livegraft watch livegraft_fix --timeout 120',
  },
  parameters: {
    flags: {
      ...commonFlags,
      timeout: {
        kind: 'parsed',
        parse: seconds,
        optional: true,
        brief: 'Seconds to watch (default: until it ends)',
        placeholder: 'SECONDS',
      },
    },
    positional: {
      kind: 'array',
      maximum: 1,
      parameter: { brief: 'Only this one', parse: String, placeholder: 'NAME|BUNDLE' },
    },
  },
  async func({ timeout, ...flags }, word) {
    await perform(this, 'watch', flags, async ({ print, style, progress, signal }) => {
      const [{ hostRoots: roots }, { findSubject }, { follow, whoIsLeft }, livepatch, { unknown }] = await Promise.all([
        import('../../host/roots.ts'),
        import('../../live/subject.ts'),
        import('../../live/follow.ts'),
        import('../../host/livepatch.ts'),
        import('../../live/revert.ts'),
      ]);
      requireRoot('watch');
      const subject = word === undefined ? undefined : await findSubject(roots, word);
      const found =
        subject === undefined ? livepatch.findTransition(roots) : livepatch.readLivepatch(roots, subject.name);
      if (found === undefined && subject !== undefined) throw unknown(roots, subject.name);
      if (found === undefined || !found.inTransition) {
        print(found === undefined ? 'No transition is going on' : `${found.name} is ${found.state}; no transition`);
        return { result: { name: found?.name ?? null, end: null } };
      }
      const { name } = found;
      for (let side: 0 | 1 = found.enabled ? 1 : 0; ; side = side === 1 ? 0 : 1) {
        const story = await follow({
          roots,
          progress,
          name,
          side,
          signal,
          ...(timeout === undefined ? {} : { timeout }),
        });
        if (story.end === 'turned') {
          progress.say(`${name} was turned round`);
          continue;
        }
        const done = story.end === 'done' || story.end === 'gone';
        if (done) {
          const what = story.end === 'done' && side === 1 ? 'active' : 'reverted';
          print(`${style(['green', 'bold'], `${name} is ${what}`)}: ${movedWords(story)}`);
          if (what === 'reverted') print(`Its module may still be loaded: livegraft unload ${name}`);
        }
        const problems =
          story.end === 'timeout'
            ? [
                say.transitionStalled({
                  name,
                  seconds: timeout ?? 0,
                  left: whoIsLeft(story),
                  now: 'It goes on',
                  next: `livegraft blockers ${name}; livegraft revert ${name}`,
                }),
              ]
            : [];
        return { result: story, exit: exitOf(problems, story.end === 'stopped'), diagnostics: problems };
      }
    });
  },
});
