/** livegraft revert and livegraft unload: back to the code the kernel was booted with. */
import { buildCommand } from '@stricli/core';
import { type CommonFlags, commonFlags, perform, tellProblems } from '../command.ts';
import type { Context } from '../context.ts';
import { exitOf, functionsOf, movedWords, requireRoot, timeoutFlag } from '../host.ts';

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
      timeout: timeoutFlag,
    },
    positional: subject,
  },
  async func({ keepModule = false, timeout, ...flags }, word) {
    await perform(this, 'revert', flags, async (session) => {
      const [
        { hostRoots: roots },
        { findSubject },
        { revert: run, unknown },
        { readLivepatch },
        { attempt },
        { changeKernel },
      ] = await Promise.all([
        import('../../host/roots.ts'),
        import('../../live/subject.ts'),
        import('../../live/revert.ts'),
        import('../../host/livepatch.ts'),
        import('../../live/attempt.ts'),
        import('../change-kernel.ts'),
      ]);
      requireRoot('revert');
      return changeKernel(session, roots, async ({ journal, told }) => {
        const { name } = await findSubject(roots, word);
        const { progress, signal, print, style } = session;
        const loaded = readLivepatch(roots, name);
        if (loaded === undefined) throw unknown(roots, name);
        if (!session.json) tellProblems(told, session.verbose);
        print(`Taking ${name} back: ${functionsOf(loaded)} as shipped again`);
        const facts = { action: 'revert', name, ...moduleIdOf(loaded) } as const;
        const { result: reverted, troubles } = await attempt(journal, facts, (mark) =>
          run({ roots, name, keepModule, timeout, progress, signal, mark }),
        );
        const { outcome, transition, unloaded, problems } = reverted;
        if (outcome === 'reverted') {
          const module = unloaded ? 'its module is unloaded' : 'its module is still loaded';
          print(`${style(['green', 'bold'], `${name} is reverted`)}: ${movedWords(transition)}; ${module}`);
        } else print(`${style('yellow', `${name} is in transition`)}; follow it: livegraft watch ${name}`);
        return {
          result: { name, ...reverted, findings: told },
          exit: exitOf(problems, signal.aborted && outcome !== 'reverted'),
          diagnostics: [...problems, ...troubles],
        };
      });
    });
  },
});

export const unload = buildCommand<CommonFlags, [string], Context>({
  docs: {
    brief: 'Unload the module of a livepatch that was reverted or replaced',
    fullDescription:
      'Never while its code may run: for a livepatch that is enabled, see `livegraft revert`. One that replaced functions on the way of dying tasks (do_exit and the like) is unloaded after half a minute.\n\nExample: livegraft unload livegraft_fix',
  },
  parameters: { flags: commonFlags, positional: subject },
  async func(flags, word) {
    await perform(this, 'unload', flags, async (session) => {
      const [{ hostRoots: roots }, { findSubject }, { unload: run }, { attempt }, { readModule }, { changeKernel }] =
        await Promise.all([
          import('../../host/roots.ts'),
          import('../../live/subject.ts'),
          import('../../live/revert.ts'),
          import('../../live/attempt.ts'),
          import('../../host/modules.ts'),
          import('../change-kernel.ts'),
        ]);
      requireRoot('unload');
      return changeKernel(session, roots, async ({ journal, told }) => {
        if (!session.json) tellProblems(told, session.verbose);
        const { name } = await findSubject(roots, word);
        const facts = { action: 'unload', name, ...moduleIdOf(readModule(roots, name)) } as const;
        const { troubles } = await attempt(journal, facts, async () => {
          await session.progress.step(`Unload ${name}`, () => run(roots, name, session.signal));
          return { outcome: 'unloaded', problems: [] };
        });
        session.print(`${name} is unloaded`);
        return { result: { name, findings: told }, diagnostics: troubles };
      });
    });
  },
});

function moduleIdOf(loaded: { readonly buildId?: string } | undefined): { moduleId?: string } {
  return loaded?.buildId === undefined ? {} : { moduleId: loaded.buildId };
}
