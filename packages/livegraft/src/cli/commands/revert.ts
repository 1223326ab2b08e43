/** livegraft revert and livegraft unload: back to the code the kernel was booted with. */
import { buildCommand } from '@stricli/core';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { exitOf, functionsOf, movedWords, requireRoot, seconds, withKernelLock } from '../host.ts';

const subject = {
  kind: 'tuple',
  parameters: [{ brief: 'A loaded livepatch, or its bundle', parse: String, placeholder: 'NAME|BUNDLE' }],
} as const;

interface RevertFlags extends CommonFlags {
  readonly keepModule?: boolean;
  readonly timeout: number;
}

export const revert = buildCommand<RevertFlags, [string], Context>({
  docs: {
    brief: 'Take a livepatch back, and unload its module',
    fullDescription:
      'Disables it, follows the transition until every task runs the old code again, and unloads the module. A transition that is going on is reversed. When the time is up, or on Ctrl-C, the kernel goes on with it alone. Exit code 6: not done in time.\n\nExample: livegraft revert livegraft_fix',
  },
  parameters: {
    flags: {
      ...commonFlags,
      keepModule: { kind: 'boolean', optional: true, withNegated: false, brief: 'Leave the module loaded' },
      timeout: {
        kind: 'parsed',
        parse: seconds,
        default: '60',
        brief: 'Seconds that the transition may take',
        placeholder: 'SECONDS',
      },
    },
    positional: subject,
  },
  async func({ keepModule = false, timeout, ...flags }, word) {
    await perform(this, 'revert', flags, async (session) => {
      const [{ hostRoots: roots }, { findSubject }, { revert: run, unknown }, { readLivepatch }] = await Promise.all([
        import('../../host/roots.ts'),
        import('../../live/subject.ts'),
        import('../../live/revert.ts'),
        import('../../host/livepatch.ts'),
      ]);
      requireRoot('revert');
      return withKernelLock(session, async () => {
        const { name } = await findSubject(roots, word);
        const { progress, signal, print, style } = session;
        const loaded = readLivepatch(roots, name);
        if (loaded === undefined) throw unknown(roots, name);
        print(`Taking ${name} back: ${functionsOf(loaded)} as shipped again`);
        const reverted = await run({ roots, name, keepModule, timeout, progress, signal });
        const { outcome, transition, unloaded, problems } = reverted;
        if (outcome === 'reverted') {
          const module = unloaded ? 'its module is unloaded' : 'its module is still loaded';
          print(`${style(['green', 'bold'], `${name} is reverted`)}: ${movedWords(transition)}; ${module}`);
        } else print(`${style('yellow', `${name} is in transition`)}; follow it: livegraft watch ${name}`);
        return {
          result: { name, ...reverted },
          exit: exitOf(problems, signal.aborted && outcome !== 'reverted'),
          diagnostics: problems,
        };
      });
    });
  },
});

export const unload = buildCommand<CommonFlags, [string], Context>({
  docs: {
    brief: 'Unload the module of a livepatch that was reverted or replaced',
    fullDescription:
      'Never while its code may run: for a livepatch that is enabled, see `livegraft revert`.\n\nExample: livegraft unload livegraft_fix',
  },
  parameters: { flags: commonFlags, positional: subject },
  async func(flags, word) {
    await perform(this, 'unload', flags, async (session) => {
      const [{ hostRoots: roots }, { findSubject }, { unload: run }] = await Promise.all([
        import('../../host/roots.ts'),
        import('../../live/subject.ts'),
        import('../../live/revert.ts'),
      ]);
      requireRoot('unload');
      return withKernelLock(session, async () => {
        const { name } = await findSubject(roots, word);
        await session.progress.step(`Unload ${name}`, () => run(roots, name));
        session.print(`${name} is unloaded`);
        return { result: { name } };
      });
    });
  },
});
