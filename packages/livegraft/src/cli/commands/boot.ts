/** livegraft boot: what the systemd unit runs. */
import { buildCommand } from '@stricli/core';
import { Exit } from '../../diagnostics/diagnostic.ts';
import type { Booted } from '../../live/boot.ts';
import { type CommonFlags, commonFlags, perform, type Session, tellProblems } from '../command.ts';
import type { Context } from '../context.ts';
import { exitOf, movedWords, requireRoot, timeoutFlag } from '../host.ts';

interface Flags extends CommonFlags {
  readonly settled?: boolean;
  readonly timeout: number;
}

export const boot = buildCommand<Flags, [], Context>({
  docs: {
    brief: 'Load what is enabled for the kernel that runs (for the systemd unit)',
    fullDescription:
      'Loads it in the order it was enabled, as `livegraft load` does; one that fails does not stop the others, and the exit code is that of the first. What is quarantined is left out and named. livegraft=off on the kernel’s command line or the file /etc/livegraft/off keep it off. If the machine goes down before `livegraft boot --settled` has been run (a minute later, by a timer, or when it is shut down properly), that stands against what was loaded.\n\nExample: livegraft boot\n         livegraft boot --settled',
  },
  parameters: {
    flags: {
      ...commonFlags,
      settled: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Load nothing: record that the machine runs well with what was loaded',
      },
      timeout: { ...timeoutFlag, brief: 'Seconds that one transition may take' },
    },
  },
  async func({ settled = false, timeout, ...flags }) {
    await perform(this, 'boot', flags, async (session) => {
      const [{ hostRoots: roots }, live, { switchedOff, enabledHere }, { changeKernel }] = await Promise.all([
        import('../../host/roots.ts'),
        import('../../live/boot.ts'),
        import('../../live/standing.ts'),
        import('../change-kernel.ts'),
      ]);
      requireRoot('boot');
      const { print, progress, signal, json, verbose } = session;
      const off = switchedOff(roots);
      if (off !== undefined && !settled) {
        print(`Nothing is loaded: ${off}`);
        return { result: { off, booted: [] } };
      }
      return changeKernel(session, roots, async ({ journal, told }) => {
        if (settled) {
          const names = await live.settle(journal);
          print(names.length === 0 ? 'Nothing was waiting to settle' : `Settled: ${names.join(', ')}`);
          return { result: { settled: names, findings: told }, diagnostics: told };
        }
        if (!json) tellProblems(told, verbose);
        const { enabled, broken } = await enabledHere(roots);
        if (enabled.length + broken.length === 0) {
          print('Nothing is enabled for this kernel');
          return { result: { off: null, booted: [], findings: told } };
        }
        const onBooted = (booted: Booted): void => {
          tell(booted, session);
          if (!json) tellProblems(booted.problems, verbose);
        };
        const request = { roots, journal, enabled, timeout, progress, signal, settlesLater: true, onBooted };
        const booted = await live.bootAll(request);
        const problems = [...booted.flatMap((each) => each.problems), ...broken];
        if (!json) tellProblems(broken, verbose);
        return {
          result: { off: null, booted, findings: told },
          exit: signal.aborted ? exitOf([], true) : (problems.find(isError)?.exit ?? Exit.done),
          // people have read them already, each with its bundle
          diagnostics: json ? problems : [],
        };
      });
    });
  },
});

function isError({ severity }: { readonly severity: string }): boolean {
  return severity === 'error';
}

function tell({ name, outcome, loaded, by }: Booted, { print }: Session): void {
  const words: Readonly<Record<Booted['outcome'], string>> = {
    active: `is active: ${loaded?.transition === undefined ? '' : movedWords(loaded.transition)}`,
    started: 'is in transition',
    reverted: 'was taken back',
    reverting: 'is being taken back',
    'loaded-before': 'is loaded already',
    superseded: `is left out: ${by} replaces it`,
    refused: 'is not loaded',
    failed: 'could not be loaded',
  };
  print(`${name} ${words[outcome]}`);
}
