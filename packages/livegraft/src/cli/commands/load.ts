/** livegraft load: a bundle into the kernel that runs here. */
import { buildCommand } from '@stricli/core';
import type { Manifest } from '../../bundle/manifest.ts';
import type { Loaded, OnStall } from '../../live/load.ts';
import { type CommonFlags, commonFlags, perform, type Session, tellProblems } from '../command.ts';
import type { Context } from '../context.ts';
import { exitOf, movedWords, requireRoot, seconds, withKernelLock } from '../host.ts';
import { plural } from '../text.ts';

interface Flags extends CommonFlags {
  readonly dryRun?: boolean;
  readonly timeout: number;
  readonly onStall: OnStall;
  readonly wait: boolean;
  readonly onTop?: boolean;
}

export const load = buildCommand<Flags, [string], Context>({
  docs: {
    brief: 'Load a bundle into the kernel that runs here',
    fullDescription:
      'First looks whether the bundle belongs to this kernel and what stands in its way; --dry-run ends there. Then loads the module and follows the transition until every task runs the new code. A transition that does not end in time is taken back, and so is one that is interrupted with Ctrl-C; a second Ctrl-C leaves at once, and the kernel goes on alone.\nExit code 6: stalled; 7: the kernel refused, or would; 5: for another kernel; 3: loaded already.\n\nExample: livegraft load livegraft_fix --dry-run\n         livegraft load livegraft_fix',
  },
  parameters: {
    flags: {
      ...commonFlags,
      dryRun: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Only say what stands in its way; change nothing',
      },
      timeout: {
        kind: 'parsed',
        parse: seconds,
        default: '60',
        brief: 'Seconds that the transition may take',
        placeholder: 'SECONDS',
      },
      onStall: {
        kind: 'enum',
        values: ['revert', 'keep', 'wait'],
        default: 'revert',
        brief: 'Then: take it back, leave it in transition, or wait without end',
      },
      wait: { kind: 'boolean', default: true, brief: 'Follow the transition to its end' },
      onTop: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Load even where another livepatch replaces the same function',
      },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'The folder that `livegraft build` made', parse: String, placeholder: 'BUNDLE' }],
    },
  },
  async func({ dryRun = false, timeout, onStall, wait, onTop = false, ...flags }, path) {
    await perform(this, 'load', flags, async (session) => {
      const [{ readBundle }, { hostRoots: roots }, { preflight }, { load: run }] = await Promise.all([
        import('../../bundle/bundle.ts'),
        import('../../host/roots.ts'),
        import('../../live/preflight.ts'),
        import('../../live/load.ts'),
      ]);
      requireRoot('load');
      const bundle = await readBundle(path);
      const { manifest } = bundle;
      const look = async () => {
        const { findings } = await preflight(bundle, roots, { onTop });
        const stops = findings.some(({ severity }) => severity === 'error');
        return { findings, stops };
      };
      if (dryRun) {
        const { findings, stops } = await look();
        session.print(
          stops ? `${manifest.name} cannot be loaded now` : `Would load ${manifest.name}: ${contents(manifest)}`,
        );
        return { result: { outcome: null, findings }, exit: exitOf(findings, false), diagnostics: findings };
      }
      return withKernelLock(session, async () => {
        const { findings, stops } = await look();
        if (stops) return { result: { outcome: null, findings }, exit: exitOf(findings, false), diagnostics: findings };
        if (!session.json) tellProblems(findings, session.verbose);
        session.print(`Loading ${manifest.name} into ${manifest.kernel.release}: ${contents(manifest)}`);
        const loaded = await run({
          bundle,
          roots,
          timeout,
          onStall,
          wait,
          progress: session.progress,
          signal: session.signal,
        });
        tell(manifest.name, loaded, session);
        return {
          result: { ...loaded, findings },
          exit: exitOf(loaded.problems, session.signal.aborted && loaded.outcome !== 'active'),
          diagnostics: loaded.problems,
        };
      });
    });
  },
});

function contents({ functions, targets, cves }: Manifest): string {
  const where = targets.map(({ object }) => object).join(', ');
  const named = functions.slice(0, 5).map(({ name }) => name);
  const more = functions.length > named.length ? ', …' : '';
  const fixes = cves.length === 0 ? '' : `; fixes ${cves.join(', ')}`;
  return `replaces ${plural(functions.length, 'function')} in ${where} (${named.join(', ')}${more})${fixes}`;
}

function tell(name: string, loaded: Loaded, { print, style }: Session): void {
  switch (loaded.outcome) {
    case 'active':
      print(`${style(['green', 'bold'], `${name} is active`)}: ${movedWords(loaded.transition!)}`);
      print(style('dim', `Take it back: livegraft revert ${name}`));
      return;
    case 'started':
      print(`${style('yellow', `${name} is in transition`)}; follow it: livegraft watch ${name}`);
      return;
    case 'reverted':
      print(
        `${style('yellow', `${name} was taken back`)}${loaded.unloaded ? '; nothing of it is left in the kernel' : ''}`,
      );
      return;
    case 'reverting':
      print(`${style('yellow', `${name} is being taken back`)}; follow it: livegraft watch ${name}`);
  }
}
