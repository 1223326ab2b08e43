/** livegraft try: bundles on their kernel in a virtual machine. */
import { buildCommand } from '@stricli/core';
import type { Evidence } from '../../bundle/evidence.ts';
import { Exit, type ExitCode } from '../../diagnostics/diagnostic.ts';
import { type CommonFlags, commonFlags, perform, type Session } from '../command.ts';
import type { Context } from '../context.ts';
import { type GuestFlags, guestFlags, whole } from '../guest-flags.ts';
import { formatDuration, table } from '../text.ts';

interface Flags extends CommonFlags, GuestFlags {
  readonly kernel?: string;
  readonly before?: string;
  readonly after?: string;
  readonly reverted?: string;
  readonly module?: string[];
  readonly file?: string[];
  readonly targetsLater?: boolean;
  readonly timeout?: number;
}

const script = (brief: string) =>
  ({ kind: 'parsed', parse: String, optional: true, brief, placeholder: 'SCRIPT' }) as const;
export const tryBundles = buildCommand<Flags, string[], Context>({
  docs: {
    brief: 'Try bundles on their very kernel in a virtual machine',
    fullDescription:
      'Boots the kernel under QEMU, loads each bundle, follows the transition, runs your scripts, unloads and reloads the target modules, reverts, unloads; writes evidence.json into the bundle.\nScripts run with busybox sh as root in the guest; exit code 0 is success.\n\nExample: livegraft try livegraft_ext4 --after check.sh --file disk.img:/disk.img',
  },
  parameters: {
    flags: {
      ...commonFlags,
      kernel: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'Kernel of the cache (default: the one the bundle names)',
        placeholder: 'RELEASE',
      },
      before: script('Run first, on the kernel as shipped'),
      after: script('Run while the bundle is active'),
      reverted: script('Run after the bundle was reverted and unloaded'),
      module: {
        kind: 'parsed',
        parse: String,
        optional: true,
        variadic: true,
        brief: 'Load this module at the start',
        placeholder: 'NAME',
      },
      file: {
        kind: 'parsed',
        parse: String,
        optional: true,
        variadic: true,
        brief: 'Have this file in the guest',
        placeholder: 'FILE[:/PATH]',
      },
      targetsLater: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Load target modules after the livepatch, not before',
      },
      timeout: {
        kind: 'parsed',
        parse: whole,
        optional: true,
        brief: 'Seconds a script may take (default 120)',
        placeholder: 'SECONDS',
      },
      ...guestFlags('1024'),
    },
    aliases: { k: 'kernel' },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { brief: 'Bundles, tried one after the other', parse: String, placeholder: 'BUNDLE' },
    },
  },
  async func({ kernel: kernelName, before, after, reverted, module: modules, file: files, ...flags }, ...paths) {
    await perform(this, 'try', flags, async (session) => {
      const [{ readBundle }, { openKernel }, { tryBundles: run }, inputs] = await Promise.all([
        import('../../bundle/bundle.ts'),
        import('../../kernel/store.ts'),
        import('../../trial/try.ts'),
        import('../inputs.ts'),
      ]);
      const bundles = await Promise.all(paths.map((path) => readBundle(path)));
      const kernel = await openKernel(kernelName ?? bundles[0]!.manifest.kernel.name);
      const scripts = {
        ...(before === undefined ? {} : { before: await inputs.readScript(before) }),
        ...(after === undefined ? {} : { after: await inputs.readScript(after) }),
        ...(reverted === undefined ? {} : { reverted: await inputs.readScript(reverted) }),
      };
      const parsed = (files ?? []).map((each) => inputs.parseFileArgument(each));
      const { result, evidence } = await run({
        kernel,
        bundles,
        ...scripts,
        modules: modules ?? [],
        files: Object.fromEntries(parsed.map(({ host, guest }) => [guest, host])),
        targetsLater: flags.targetsLater ?? false,
        ...(flags.timeout === undefined ? {} : { timeout: flags.timeout }),
        accel: flags.accel,
        cpus: flags.cpus,
        memory: flags.memory,
        progress: session.progress,
        signal: session.signal,
      });
      showEvidence(evidence, session);
      return { result: evidence, exit: exitOf(evidence, result.passed) };
    });
  },
});

function exitOf(evidence: Evidence, passed: boolean): ExitCode {
  if (passed) return Exit.done;
  const failed = evidence.steps.find(
    (step) => step.need === 'must' && !['passed', 'skipped', 'unreached'].includes(step.outcome),
  );
  if (failed?.outcome === 'stalled') return Exit.stalled;
  if (failed?.kind === 'load' && failed.outcome === 'failed') return Exit.kernelRefused;
  return Exit.failed;
}

/** What came of a trial, for people: a line a step, what the kernel complained of, the verdict. */
export function showEvidence(
  evidence: Evidence,
  { print, style, verbose }: Pick<Session, 'print' | 'style' | 'verbose'>,
): void {
  const rows = evidence.steps.map((step) => {
    const good = step.outcome === 'passed';
    const calm = good || step.need === 'may' || step.outcome === 'skipped' || step.outcome === 'unreached';
    const mark = good ? style('green', '✓') : calm ? style('dim', '·') : style('red', '✗');
    const outcome = good
      ? ''
      : step.exitCode === undefined
        ? step.outcome
        : `${step.outcome} (exit code ${step.exitCode})`;
    return [
      mark,
      `${step.kind} ${step.subject}`,
      step.seconds === undefined ? '' : formatDuration(step.seconds * 1000),
      [outcome, transitionNote(step)].filter((each) => each !== '').join('; '),
    ];
  });
  print(table(rows));
  for (const step of evidence.steps) {
    const bad = step.need === 'must' && !['passed', 'skipped', 'unreached'].includes(step.outcome);
    if ((bad || verbose) && step.output.trim() !== '')
      print(`${style('bold', `output of ${step.kind} ${step.subject}`)}\n${indent(step.output)}`);
  }
  for (const finding of evidence.findings.filter((each) => each.severity !== 'note')) {
    print(`${style(['red', 'bold'], finding.title)}${finding.step === undefined ? '' : ` (in step ${finding.step})`}`);
    print(indent(finding.lines.slice(0, verbose ? undefined : 25).join('\n')));
  }
  const verdict =
    evidence.verdict === 'passed' ? style(['green', 'bold'], 'passed') : style(['red', 'bold'], evidence.verdict);
  print(`${verdict}: ${evidence.why}`);
  const boot = evidence.times.boot === undefined ? '' : `, booted after ${formatDuration(evidence.times.boot * 1000)}`;
  print(
    style(
      'dim',
      `${evidence.kernel.release} under QEMU ${evidence.machine.qemu} (${evidence.machine.accel}, ${evidence.machine.cpus} CPUs)${boot}, ${formatDuration(evidence.times.total * 1000)} in all`,
    ),
  );
}

function transitionNote(step: Evidence['steps'][number]): string {
  const samples = step.transition ?? [];
  const last = samples.at(-1);
  if (last === undefined) return '';
  const most = samples.reduce((max, sample) => Math.max(max, sample.left), 0);
  const longest = [...samples].reverse().find((sample) => sample.left > 0)?.blockers[0];
  if (last.inTransition && step.outcome !== 'passed') {
    const names = last.blockers.slice(0, 3).map((blocker) => `${blocker.comm} (${blocker.tid})`);
    if (last.left === 0) return 'only an idle task is left';
    return `still to move: ${names.join(', ')}${last.left > 3 ? ` and ${last.left - 3} more` : ''}`;
  }
  return `${last.tasks} tasks moved${most > 0 && longest !== undefined ? `, the last: ${longest.comm}` : ''}`;
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
