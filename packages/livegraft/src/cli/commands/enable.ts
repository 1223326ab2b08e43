/** livegraft enable and livegraft disable: what is loaded at every boot of its kernel. */
import { buildCommand } from '@stricli/core';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import { type CommonFlags, commonFlags, perform, tellProblems } from '../command.ts';
import type { Context } from '../context.ts';
import { exitOf, movedWords, requireRoot, timeoutFlag } from '../host.ts';

interface EnableFlags extends CommonFlags {
  readonly now?: boolean;
  readonly timeout: number;
  readonly requireSignOff?: boolean;
}

export const enable = buildCommand<EnableFlags, [string], Context>({
  docs: {
    brief: 'Load a bundle at every boot of its kernel',
    fullDescription:
      'Keeps a copy in /var/lib/livegraft/enabled; the bundle may be for any kernel, not only for the one that runs. Loads nothing now; --now loads it first, and enables it only if that went well. A bundle of the same name for the same kernel is replaced. Sign-offs are copied with it; where /etc/livegraft/require-sign-off is there, only an approved bundle is enabled, and loaded at boot. Kept off at boot: livegraft=off on the kernel’s command line, or the file /etc/livegraft/off.\n\nExample: livegraft enable livegraft_fix --now',
  },
  parameters: {
    flags: {
      ...commonFlags,
      now: { kind: 'boolean', optional: true, withNegated: false, brief: 'Load it first' },
      timeout: { ...timeoutFlag, brief: 'With --now: seconds that the transition may take' },
      requireSignOff: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Only if somebody has approved what the bundle is now (livegraft sign-off), and nobody rejected it',
      },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'The folder that `livegraft build` made', parse: String, placeholder: 'BUNDLE' }],
    },
  },
  async func({ now = false, timeout, requireSignOff = false, ...flags }, path) {
    await perform(this, 'enable', flags, async (session) => {
      const [{ readBundle }, { hostRoots: roots }, store, quarantine, live, { changeKernel, record }] =
        await Promise.all([
          import('../../bundle/bundle.ts'),
          import('../../host/roots.ts'),
          import('../../live/store.ts'),
          import('../../live/quarantine.ts'),
          import('../../live/boot.ts'),
          import('../change-kernel.ts'),
        ]);
      const { readRunningKernel } = await import('../../host/kernel.ts');
      const { judgeSignOffs, signOffRequired } = await import('../../live/signed.ts');
      requireRoot('enable');
      const bundle = await readBundle(path);
      const { name, kernel, module } = bundle.manifest;
      return changeKernel(session, roots, async ({ journal, told }) => {
        const { progress, signal, print, style, json, verbose } = session;
        const about = quarantine.suspicion(journal.read().entries, journal.bootId, module.buildId);
        const why = signOffRequired(roots, requireSignOff);
        const { problems: unsigned } = why === undefined ? { problems: [] } : await judgeSignOffs(bundle, roots, why);
        const findings: Diagnostic[] = [...unsigned, ...told, ...about.filter(({ severity }) => severity === 'error')];
        if (exitOf(findings, false) !== 0)
          return { result: null, exit: exitOf(findings, false), diagnostics: findings };
        await store.requireEnabling(roots, bundle);
        if (!json) tellProblems(findings, verbose);
        if (now) {
          const one = { bundle, sequence: 0, time: '' };
          const request = { roots, journal, enabled: [one], timeout, progress, signal, settlesLater: false };
          const [booted] = await live.bootAll({ ...request, onBooted: () => undefined });
          if (booted?.outcome !== 'active' && booted?.outcome !== 'loaded-before') {
            print(`${name} is not loaded, and not enabled`);
            const problems = booted?.problems ?? [];
            return {
              result: { name, kernel, enabled: false, loaded: booted ?? null },
              exit: exitOf(problems, signal.aborted),
              diagnostics: problems,
            };
          }
          const moved = booted.loaded?.transition;
          print(
            `${style(['green', 'bold'], `${name} is active`)}${moved === undefined ? ', and was before' : `: ${movedWords(moved)}`}`,
          );
        }
        const { replaced, path: stored } = await store.enableBundle(roots, bundle, journal.writer);
        const troubles = await record(journal, { action: 'enable', name, moduleId: module.buildId, kernel });
        const running = readRunningKernel(roots);
        const elsewhere = running.buildId !== kernel.buildId;
        print(
          `${name} is enabled for ${kernel.release} (${kernel.buildId.slice(0, 12)})${replaced ? ', in the place of an earlier one' : ''}`,
        );
        if (elsewhere) print(`${running.release} runs here: it is loaded when that kernel is booted`);
        else if (!now) print(`It is loaded at the next boot; now: livegraft load ${path}`);
        return {
          result: { name, kernel, enabled: true, replaced, path: stored, loaded: now },
          diagnostics: troubles,
        };
      });
    });
  },
});

interface DisableFlags extends CommonFlags {
  readonly kernel?: string;
}

export const disable = buildCommand<DisableFlags, [string], Context>({
  docs: {
    brief: 'No longer load a bundle at boot',
    fullDescription:
      'Unloads nothing: what runs goes on until `livegraft revert`.\n\nExample: livegraft disable livegraft_fix\n         livegraft disable livegraft_fix --kernel 6.1.0-55-amd64',
  },
  parameters: {
    flags: {
      ...commonFlags,
      kernel: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'For this release instead of the one that runs',
        placeholder: 'RELEASE',
      },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'The name of an enabled bundle', parse: String, placeholder: 'NAME' }],
    },
  },
  async func({ kernel, ...flags }, word) {
    await perform(this, 'disable', flags, async (session) => {
      const [{ hostRoots: roots }, { disableBundle }, { readRunningKernel }, { readSwitch }, { changeKernel, record }] =
        await Promise.all([
          import('../../host/roots.ts'),
          import('../../live/store.ts'),
          import('../../host/kernel.ts'),
          import('../../host/livepatch.ts'),
          import('../change-kernel.ts'),
        ]);
      requireRoot('disable');
      const name = word.replaceAll('-', '_');
      return changeKernel(session, roots, async ({ journal, told }) => {
        const release = kernel ?? readRunningKernel(roots).release;
        const folders = await disableBundle(roots, name, release);
        const troubles = await record(journal, { action: 'disable', name, kernel: { release } });
        session.print(`${name} is no longer enabled for ${release}`);
        if (readSwitch(roots, name)?.enabled === true)
          session.print(`It is loaded, and stays so until the next boot or: livegraft revert ${name}`);
        return { result: { name, release, folders }, diagnostics: [...told, ...troubles] };
      });
    });
  },
});
