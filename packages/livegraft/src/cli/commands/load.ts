/** livegraft load: a bundle into the kernel that runs here. */
import { buildCommand } from '@stricli/core';
import type { Bundle } from '../../bundle/bundle.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import { type Diagnostic, LivegraftError } from '../../diagnostics/diagnostic.ts';
import { oneBundle } from '../../diagnostics/host.ts';
import type { Loaded, OnStall } from '../../live/load.ts';
import { plural } from '../../support/plural.ts';
import { type CommonFlags, commonFlags, perform, type Session, tellProblems } from '../command.ts';
import type { Context } from '../context.ts';
import { exitOf, movedWords, requireRoot, timeoutFlag } from '../host.ts';

interface Flags extends CommonFlags {
  readonly dryRun?: boolean;
  readonly plan?: boolean;
  readonly timeout: number;
  readonly onStall: OnStall;
  readonly wait: boolean;
  readonly onTop?: boolean;
  readonly requireSignOff?: boolean;
}

export const load = buildCommand<Flags, string[], Context>({
  docs: {
    brief: 'Load a bundle into the kernel that runs here',
    fullDescription:
      'First looks whether the bundle belongs to this kernel and what stands in its way; --dry-run ends there, and so does --plan, which adds whose version of each function runs now, once the bundles are loaded, and once they are reverted. Then loads the module and follows the transition until every task runs the new code. A transition that does not end in time is taken back, and so is one that is interrupted with Ctrl-C; a second Ctrl-C leaves at once, and the kernel goes on alone.\nWhere /etc/livegraft/require-sign-off is there, every load is as with --require-sign-off.\nExit code 6: stalled; 7: the kernel refused, or would; 5: for another kernel; 3: loaded already.\n\nExample: livegraft load livegraft_fix --dry-run\n         livegraft load livegraft_fix livegraft_other --plan\n         livegraft load livegraft_fix',
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
      plan: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Like --dry-run, and whose version of each function would run; takes several bundles',
      },
      timeout: timeoutFlag,
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
      requireSignOff: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Only if somebody has approved what the bundle is now (livegraft sign-off), and nobody rejected it',
      },
    },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { brief: 'The folder that `livegraft build` made', parse: String, placeholder: 'BUNDLE' },
    },
  },
  async func(
    { dryRun = false, plan = false, timeout, onStall, wait, onTop = false, requireSignOff = false, ...flags },
    ...paths
  ) {
    await perform(this, 'load', flags, async (session) => {
      const [
        { readBundle },
        { hostRoots: roots },
        { preflight },
        { load: run },
        { attempt },
        { suspicion },
        { readBootId, readJournal },
        { changeKernel },
        { judgeSignOffs, signOffRequired },
      ] = await Promise.all([
        import('../../bundle/bundle.ts'),
        import('../../host/roots.ts'),
        import('../../live/preflight.ts'),
        import('../../live/load.ts'),
        import('../../live/attempt.ts'),
        import('../../live/quarantine.ts'),
        import('../../host/journal/journal.ts'),
        import('../change-kernel.ts'),
        import('../../live/signed.ts'),
      ]);
      requireRoot('load');
      if (paths.length > 1 && !plan) throw new LivegraftError(oneBundle({ count: paths.length }));
      const bundles = await Promise.all(paths.map((path) => readBundle(path)));
      const look = async (each: Bundle, after: readonly Bundle[] = []) => {
        const before = suspicion(readJournal(roots).entries, readBootId(roots), each.manifest.module.buildId);
        const { findings: fresh } = await preflight(each, roots, { onTop, after });
        const why = signOffRequired(roots, requireSignOff);
        const { problems: unsigned } = why === undefined ? { problems: [] } : await judgeSignOffs(each, roots, why);
        const findings = [...unsigned, ...before, ...fresh];
        const stops = findings.some(({ severity }) => severity === 'error');
        return { findings, stops };
      };
      if (plan) {
        const [{ planLoad }, { readLivepatches }, { planText }] = await Promise.all([
          import('../../live/plan.ts'),
          import('../../host/livepatch.ts'),
          import('../plan.ts'),
        ]);
        const looks = await Promise.all(bundles.map((each, i) => look(each, bundles.slice(0, i))));
        const findings = looks
          .flatMap((each) => each.findings)
          .filter((each, i, all) => all.findIndex(sameAs(each)) === i);
        const planned = planLoad(
          readLivepatches(roots),
          bundles.map(({ manifest }) => manifest),
        );
        session.print(planText(planned));
        return {
          result: { outcome: null, plan: planned, findings },
          exit: exitOf(findings, false),
          diagnostics: findings,
        };
      }
      const bundle = bundles[0]!;
      const { manifest } = bundle;
      if (dryRun) {
        const { findings, stops } = await look(bundle);
        session.print(
          stops ? `${manifest.name} cannot be loaded now` : `Would load ${manifest.name}: ${contents(manifest)}`,
        );
        return { result: { outcome: null, findings }, exit: exitOf(findings, false), diagnostics: findings };
      }
      return changeKernel(session, roots, async ({ journal, told }) => {
        const looked = await look(bundle);
        const findings = [...told.filter((each) => !looked.findings.some(sameAs(each))), ...looked.findings];
        const { stops } = looked;
        if (stops) return { result: { outcome: null, findings }, exit: exitOf(findings, false), diagnostics: findings };
        if (!session.json) tellProblems(findings, session.verbose);
        session.print(`Loading ${manifest.name} into ${manifest.kernel.release}: ${contents(manifest)}`);
        const { progress, signal } = session;
        const facts = { action: 'load', name: manifest.name, moduleId: manifest.module.buildId } as const;
        const { result: loaded, troubles } = await attempt(journal, facts, (mark) =>
          run({ bundle, roots, timeout, onStall, wait, progress, signal, mark }),
        );
        tell(manifest.name, loaded, session);
        return {
          result: { ...loaded, findings },
          exit: exitOf(loaded.problems, session.signal.aborted && loaded.outcome !== 'active'),
          diagnostics: [...loaded.problems, ...troubles],
        };
      });
    });
  },
});

/** Said once is enough. */
function sameAs(one: Diagnostic): (other: Diagnostic) => boolean {
  return (other) => other.code === one.code && other.place === one.place && other.message === one.message;
}

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
