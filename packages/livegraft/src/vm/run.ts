/** A trial: the same kernel in a machine of its own, the steps done one after the other, everything that happened in one value. */
import { type Progress, silent } from '../support/progress.ts';
import { type AccelWish, chooseAccel } from './accel.ts';
import type { ConsoleFinding } from './console.ts';
import { bootWay, type GuestOptions, type GuestRun, runGuest } from './guest.ts';
import type { FileSource } from './initramfs.ts';
import type { GuestEvent } from './protocol.ts';
import { type Accel, qemuVersion } from './qemu.ts';
import { type StepOutcome, TrialRecord } from './record.ts';
import { type PlannedStep, plan, planText, subject, type Trial } from './trial.ts';

export interface TrialOptions extends GuestOptions {
  readonly trial: Trial;
  /** Livepatch modules by the name of their module: what `load` steps load. */
  readonly bundles?: Readonly<Record<string, FileSource>>;
  readonly accel?: AccelWish;
  readonly progress?: Progress;
}

export interface TrialResult extends Omit<GuestRun, 'end'> {
  readonly kind: GuestRun['end'];
  readonly release: string;
  readonly qemu: string;
  readonly accel: Accel;
  readonly boot: 'image' | 'payload';
  readonly cpus: number;
  readonly memory: number;
  readonly steps: readonly StepOutcome[];
  /** Whether it came to its end, every step that must pass did, and no sound-kernel rule was broken meanwhile. */
  readonly passed: boolean;
  /** Findings from the first step on; `findings` has those of booting too. */
  readonly trialFindings: readonly ConsoleFinding[];
}

/** Runs a trial. Never throws for what the guest does; throws for our side (see `runGuest`) and for a trial that makes no sense. */
export async function runTrial(options: TrialOptions): Promise<TrialResult> {
  const { progress = silent } = options;
  const steps = plan(options.trial);
  const qemu = await qemuVersion();
  const accel = await chooseAccel(options.accel ?? 'tcg', options, progress);
  const files: Record<string, FileSource> = { ...options.files, '/livegraft/plan': bytes(planText(steps)) };
  for (const [name, file] of Object.entries(options.bundles ?? {})) files[`/livegraft/bundles/${name}.ko`] = file;
  for (const step of steps) {
    if (step.kind === 'script') files[`/livegraft/steps/${step.number}.sh`] = bytes(step.text);
  }
  const record = new TrialRecord(steps);
  const { end, ...run } = await runGuest(
    { ...options, files },
    {
      main: 'trial',
      accel,
      onEvent: (event) => {
        record.take(event);
        tell(event, steps, progress);
      },
    },
  );
  const outcomes = record.outcomes();
  const began = outcomes[0]?.at;
  const trialFindings = run.findings.filter(
    ({ step, time }) => step !== undefined || (began !== undefined && time !== undefined && time >= began),
  );
  const passed =
    end === 'done' &&
    outcomes.every(({ step, outcome }) => outcome === 'passed' || step.need === 'may') &&
    trialFindings.every((finding) => finding.severity === 'note' || !isBlamed(finding, outcomes));
  return {
    kind: end,
    ...run,
    release: options.kernel.release,
    qemu,
    accel,
    boot: bootWay(options),
    cpus: options.cpus ?? 1,
    memory: options.memory ?? 1024,
    steps: outcomes,
    passed,
    trialFindings,
  };
}

/** A warning that the kernel gives before anything was loaded into it is its own; a death is a death. */
export function isBlamed(finding: ConsoleFinding, outcomes: readonly StepOutcome[]): boolean {
  const first = outcomes.find(({ step }) => step.kind === 'load')?.step.number;
  return finding.severity === 'fatal' || first === undefined || (finding.step ?? first) >= first;
}

function tell(event: GuestEvent, steps: readonly PlannedStep[], progress: Progress): void {
  if (event.kind === 'begin') {
    const step = steps[event.step - 1];
    if (step !== undefined) progress.detail(`${step.kind} ${subject(step)}`);
  } else if (event.kind === 'sample' && event.inTransition) {
    progress.detail(`transition: ${event.left} of ${event.tasks} tasks still to move`);
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
