/** Functions that are hard to leave, and those whose every call counts: who will hold the transition up, and what the patch costs. */
import { readFile } from 'node:fs/promises';
import type { Leaving } from '../../bundle/review.ts';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-leaving.ts';
import type { Kernel } from '../../kernel/types.ts';
import type { ReplacedFunction } from '../../klp/extract.ts';
import type { FunctionVerdict } from '../../objdiff/diff.ts';
import type { ReviewSubject } from '../subject.ts';
import { type Code, KernelCode, plain } from './code.ts';
import { asksForInterrupt, asksForProcessor, handedTo, makesThread } from './handed.ts';
import { calledOften, contextOf, endlessIn, isOnExitPath, stacksOf } from './known.ts';
import { type WayToWait, waysToWait } from './search.ts';
import { stepsOf } from './steps.ts';
import type { Wait } from './waits.ts';

export interface LeavingReviewed {
  readonly findings: readonly Diagnostic[];
  readonly byFunction: ReadonlyMap<FunctionVerdict, readonly Leaving[]>;
}

export async function reviewLeaving({
  kernel,
  image,
  units,
  extraction,
}: Pick<ReviewSubject, 'kernel' | 'image' | 'units' | 'extraction'>): Promise<LeavingReviewed> {
  const kernelCode = new KernelCode(units, image.symbols);
  const patient = BigInt(soon * (await ticksPerSecond(kernel)));
  const found = extraction.replaced.map((replaced) => ({
    verdict: replaced.verdict,
    ...reviewOne(replaced, kernelCode, patient),
  }));
  return {
    findings: [...found.flatMap(({ findings }) => findings), ...ofAll(found)],
    byFunction: new Map(found.map(({ verdict, leaving }) => [verdict, leaving])),
  };
}

/** Seconds: a transition takes as long in any case when one task sleeps, since then the kernel signals (kernel/livepatch/transition.c). */
const soon = 15;

/** CONFIG_HZ; where the configuration cannot be read, the most there is: then fewer waits count as short. */
async function ticksPerSecond({ paths }: Pick<Kernel, 'paths'>): Promise<number> {
  const config = await readFile(paths.config, 'latin1').catch(() => '');
  return Number(/^CONFIG_HZ=(\d+)$/m.exec(config)?.[1] ?? 1000);
}

interface Found {
  readonly leaving: readonly Leaving[];
  readonly findings: readonly Diagnostic[];
}

function reviewOne({ unit, verdict }: ReplacedFunction, kernelCode: KernelCode, patient: bigint): Found {
  const atom = verdict.patched!;
  const code = kernelCode.of(unit, atom);
  const { name } = code;
  const where = { unit: unit.source, name: verdict.original!.name };
  const handed = [...handedTo(unit.diff.patched, atom)];
  const loop = loopOf(code, handed);
  const exits = isOnExitPath(name);
  const leaving: Leaving[] = [];
  const findings: Diagnostic[] = [];
  const add = (kind: Leaving['kind'], text: string, through: readonly string[] = []): void => {
    leaving.push({ kind, through, text });
  };
  if (loop !== undefined) {
    add('loops', `${loop.what}; it stays in the old code until it ends`);
    findings.push(say.neverLeft({ ...where, ...loop }));
  }
  if (exits || (loop === undefined && !stepsOf(code).returns)) {
    add(
      'never-returns',
      exits ? 'a task that ends may still be in it when nothing shows it any more' : 'does not return',
    );
    if (exits) findings.push(say.neverReturns(where));
  }
  const ways = waysToWait(code).filter(({ wait }) => wait.limit === undefined || wait.limit > patient);
  for (const { through, wait } of ways) add('sleeps', `${waiting(wait)}${way(through)}`, through);
  const likely = ways.find(isLikely);
  const known = stacksOf(name);
  if (known !== undefined && likely === undefined && !exits) add('sleeps', `on the stacks of ${known}`);
  if (loop === undefined && !exits && (likely !== undefined || known !== undefined)) {
    const who = known ?? likely?.who;
    findings.push(
      say.waitsLong({
        ...where,
        what: likely === undefined ? 'Tasks sleep below it' : sentence(likely),
        thread: handed.some((each) => makesThread.test(each)) || asksWhetherToStop(code),
        ends: likely?.wait.manner ?? 'unknown',
        ...(who === undefined ? {} : { who }),
      }),
    );
  }
  const context =
    contextOf(name) ??
    (handed.some((each) => asksForInterrupt.test(each))
      ? 'interrupt'
      : handed.some((each) => asksForProcessor.test(each))
        ? 'per-cpu'
        : undefined);
  if (context !== undefined) add(context, contexts[context]);
  const often = calledOften(name);
  if (often !== undefined) add('hot', `called ${often}: each call costs ${redirection} instructions more`);
  return { leaving, findings };
}

/** ftrace’s trampoline and the livepatch core’s handler (docs/measurements.md). */
const redirection = 79;

const contexts = {
  idle: 'called by the idle tasks of processors: the kernel moves them at the end of do_idle(), and wakes idle processors for it',
  'per-cpu':
    'runs on a processor in place of what that is doing, or for each processor: by the side of the task that is there',
  interrupt:
    'runs on top of whatever task was interrupted, and by its side: while tasks move it is the old code once and the new next time',
} as const;

/** A kernel thread’s own function that goes round until the thread ends. */
function loopOf(code: Code, handed: readonly string[]): { what: string } | undefined {
  const known = endlessIn(code.name);
  if (known !== undefined) return { what: `is the loop of ${known}` };
  const maker = handed.find((each) => makesThread.test(each));
  if (maker === undefined || stepsOf(code).loops.length === 0) return undefined;
  // without the question it may go round for the work of one call
  return asksWhetherToStop(code)
    ? { what: `is what a kernel thread runs (${maker}), and loops until it is told to stop` }
    : undefined;
}

function asksWhetherToStop({ calls }: Code): boolean {
  return calls.some(({ name }) => /^kthread_(freezable_)?should_stop(_or_park)?$/.test(name));
}

/** What is known for it, or what the function does itself or by its own helpers in a way that a signal ends: so one waits for what may never come. */
function isLikely({ through, wait, within, who }: WayToWait): boolean {
  if (wait.for !== 'event') return false;
  if (who !== undefined) return true;
  if (wait.timed) return false;
  return (
    (wait.manner === 'interruptible' || wait.manner === 'idle' || wait.manner === 'killable') &&
    within &&
    through.length <= 1
  );
}

function waiting({ by, manner, for: what, limit }: Wait): string {
  const until = what === 'event' ? 'waits for an event' : 'waits for input or output';
  const how = manner === 'unknown' ? '' : `, ${manner === 'idle' ? 'uninterruptible' : manner}`;
  return `${until} (${by}${how}${limit === undefined ? '' : `, at most ${limit} jiffies`})`;
}

function way(through: readonly string[]): string {
  return through.length === 0 ? '' : ` by way of ${through.map((name) => `${name}()`).join(' → ')}`;
}

function sentence({ wait, through }: WayToWait): string {
  return `It ${waiting(wait)}${way(through)}`;
}

/** What is said once for all: where each alone would be noise. */
function ofAll(found: readonly (Found & { readonly verdict: FunctionVerdict })[]): Diagnostic[] {
  const of = (kind: Leaving['kind']): string[] =>
    found
      .filter(({ leaving }) => leaving.some((each) => each.kind === kind))
      .map(({ verdict }) => plain(verdict.original!.name));
  const events = found.filter(
    ({ leaving, findings }) =>
      !findings.some(({ code }) => /^(waits-long|never-(left|returns))$/.test(code)) &&
      leaving.some(({ kind, text }) => kind === 'sleeps' && text.startsWith('waits for an event')),
  );
  const [hot, interrupt, idle, cpu] = [of('hot'), of('interrupt'), of('idle'), of('per-cpu')];
  return [
    ...(events.length === 0 ? [] : [say.mayWait({ functions: events.map(({ verdict }) => verdict.original!.name) })]),
    ...(interrupt.length + cpu.length === 0
      ? []
      : [say.runsInInterrupt({ functions: [...new Set([...interrupt, ...cpu])] })]),
    ...(idle.length === 0 ? [] : [say.runsIdle({ functions: idle })]),
    ...(hot.length === 0 ? [] : [say.calledOften({ functions: hot, instructions: redirection })]),
  ];
}
