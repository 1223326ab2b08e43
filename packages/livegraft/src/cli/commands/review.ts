/** livegraft review: what a person must know before a bundle is loaded. */
import { buildCommand } from '@stricli/core';
import type { Bundle } from '../../bundle/bundle.ts';
import type { Review } from '../../bundle/review.ts';
import { Exit } from '../../diagnostics/diagnostic.ts';
import type { Running } from '../../live/running.ts';
import { type CommonFlags, commonFlags, type Outcome, perform, type Session } from '../command.ts';
import type { Context } from '../context.ts';
import { requireRoot } from '../host.ts';

interface Flags extends CommonFlags {
  readonly kernel?: string;
  readonly replace?: boolean;
  readonly running?: boolean;
  readonly check?: boolean;
  readonly output?: string;
}

const yes = { kind: 'boolean', optional: true, withNegated: false } as const;

export const review = buildCommand<Flags, string[], Context>({
  docs: {
    brief: 'Show what is to be judged before a bundle is loaded, or before patches become one',
    fullDescription:
      'The verdict, the findings by weight, then what is replaced and why; --verbose adds the source and the machine code, --json has all of it. Changes nothing: patches are built where nothing stays of it.\n--running adds what can be seen on this machine only: what a load would say, and which tasks are in the functions now.\n\nExample: livegraft review livegraft_fix\n         livegraft review fix.patch --kernel 6.1.0-55-amd64\n         livegraft review livegraft_fix --running\n         livegraft review fix.patch --kernel 6.1.0-55-amd64 --output report.html',
  },
  parameters: {
    flags: {
      ...commonFlags,
      kernel: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'Of patches: a kernel of the cache (livegraft kernel list)',
        placeholder: 'RELEASE',
      },
      replace: { ...yes, brief: 'Of patches: as `build --replace` makes them' },
      running: { ...yes, brief: 'Also who is in the way on the kernel that runs here' },
      output: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'Draw the report into this file (a bundle has it as report.html)',
        placeholder: 'FILE',
      },
      check: { ...yes, brief: 'Exit code 4 when a finding needs a person’s judgement' },
    },
    aliases: { k: 'kernel', o: 'output' },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { brief: 'A bundle’s folder, or patches (-p1)', parse: String, placeholder: 'BUNDLE|PATCH' },
    },
  },
  async func({ kernel, replace = false, running = false, check = false, output, ...flags }, ...paths) {
    await perform(this, 'review', flags, async (session) => {
      if (running) requireRoot('review --running');
      const { reviewable, withBuilt } = await import('../review-inputs.ts');
      const what = await reviewable({ paths, replace, ...(kernel === undefined ? {} : { kernel }) });
      const show = (bundle: Bundle) =>
        showOne(bundle, { running, check, ...(output === undefined ? {} : { output }) }, session);
      if (what.kind === 'bundle') {
        const { readBundle } = await import('../../bundle/bundle.ts');
        return show(await readBundle(what.path));
      }
      if (running) await requireThis(what.kernel, what.paths);
      return orRefused(() => withBuilt(what, replace, session, show));
    });
  },
});

async function showOne(
  bundle: Bundle,
  { running, check, output }: { readonly running: boolean; readonly check: boolean; readonly output?: string },
  session: Session,
): Promise<Outcome> {
  const [{ readReview }, { showReview }] = await Promise.all([
    import('../../bundle/bundle.ts'),
    import('../show-review.ts'),
  ]);
  const result = await readReview(bundle);
  const here = running ? await lookHere(bundle) : undefined;
  showReview(bundle.manifest, result, session);
  if (output !== undefined) {
    const { drawInto } = await import('../../report/draw.ts');
    await drawInto(output, bundle);
    session.print(`\nThe report: ${output}`);
  }
  if (here !== undefined) {
    const { showRunning } = await import('../show-running.ts');
    showRunning(here, session);
  }
  return {
    result: { ...result, ...(here === undefined ? {} : { running: here }) },
    exit: check && asksForJudgement(result, here) ? Exit.refused : Exit.done,
  };
}

async function lookHere(bundle: Bundle): Promise<Running> {
  const [{ reviewRunning }, { hostRoots }] = await Promise.all([
    import('../../live/running.ts'),
    import('../../host/roots.ts'),
  ]);
  return reviewRunning(bundle, hostRoots);
}

function asksForJudgement({ verdict }: Review, here: Running | undefined): boolean {
  if (verdict.state !== 'clear') return true;
  return here !== undefined && (here.blockers.length > 0 || here.findings.some(({ severity }) => severity !== 'note'));
}

/** Before patches are built for nothing. */
async function requireThis(name: string, [path]: readonly string[]): Promise<void> {
  const [{ openKernel }, { requireRunning }, { hostRoots }] = await Promise.all([
    import('../../kernel/store.ts'),
    import('../../live/running.ts'),
    import('../../host/roots.ts'),
  ]);
  const { release, facts } = await openKernel(name);
  requireRunning({ path: path!, manifest: { kernel: { release, buildId: facts.buildId } } }, hostRoots);
}

/** A patch that the review refuses: all that stops it, then what else was found. */
async function orRefused(work: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    const { ReviewRefused } = await import('../../review/review.ts');
    if (!(error instanceof ReviewRefused)) throw error;
    return { result: null, exit: error.exit, diagnostics: [...error.diagnostics, ...error.besides] };
  }
}
