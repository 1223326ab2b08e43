/** What a trial proves, as the stable, versioned file that travels with a bundle: `evidence.json`. */
import { writeFileWhole } from '../support/files.ts';
import type { Blocker } from './record.ts';
import { isBlamed, type TrialResult } from './run.ts';
import { taints } from './taint.ts';
import { subject } from './trial.ts';

export interface Evidence {
  readonly schema: 1;
  readonly verdict: 'passed' | 'failed' | 'panicked' | 'hung' | 'lost';
  /** Why, in one line. */
  readonly why: string;
  /** ISO 8601. */
  readonly started: string;
  readonly kernel: { readonly release: string };
  /** What was tried: sha256 of each module, by its name. */
  readonly bundles: Readonly<Record<string, string>>;
  readonly machine: {
    readonly qemu: string;
    readonly accel: 'tcg' | 'kvm';
    /** `image`: booted as on iron, with KASLR; `payload`: quicker, without. */
    readonly boot: 'image' | 'payload';
    readonly cpus: number;
    /** MiB. */
    readonly memory: number;
  };
  /** Seconds: of the host's clock. */
  readonly times: { readonly boot?: number; readonly total: number };
  readonly steps: readonly EvidenceStep[];
  readonly findings: readonly EvidenceFinding[];
}

export interface EvidenceStep {
  readonly number: number;
  readonly kind: string;
  readonly subject: string;
  readonly need: 'must' | 'may';
  readonly outcome: string;
  readonly exitCode?: number;
  /** Seconds of the guest's clock. */
  readonly at?: number;
  readonly seconds?: number;
  /** UTF-8, other bytes replaced; the first 64 KiB. */
  readonly output: string;
  readonly outputCut: boolean;
  /** Taint letters that the kernel gained during the step, and what they mean. */
  readonly newTaints: Readonly<Record<string, string>>;
  readonly transition?: readonly {
    readonly at: number;
    readonly inTransition: boolean;
    readonly left: number;
    readonly tasks: number;
    readonly blockers: readonly Blocker[];
  }[];
}

export interface EvidenceFinding {
  readonly kind: string;
  readonly severity: 'fatal' | 'bad' | 'note';
  readonly title: string;
  readonly step?: number;
  readonly time?: number;
  readonly lines: readonly string[];
}

const outputLimit = 64 << 10;

/**
 * @param started when the trial was begun
 * @param bundles sha256 of each livepatch module that was tried, by its name
 */
export function evidenceOf(
  result: TrialResult,
  started: Date,
  bundles: Readonly<Record<string, string>> = {},
): Evidence {
  const { bootSeconds } = result;
  return {
    schema: 1,
    verdict: result.kind === 'done' ? (result.passed ? 'passed' : 'failed') : result.kind,
    why: whyOf(result),
    started: started.toISOString(),
    kernel: { release: result.release },
    bundles,
    machine: { qemu: result.qemu, accel: result.accel, boot: result.boot, cpus: result.cpus, memory: result.memory },
    times: {
      ...(bootSeconds === undefined ? {} : { boot: hundredths(bootSeconds) }),
      total: hundredths(result.seconds),
    },
    steps: result.steps.map(({ step, output, cut, taintBefore, taintAfter, ...outcome }) => ({
      number: step.number,
      kind: step.kind,
      subject: subject(step),
      need: step.need,
      outcome: outcome.outcome,
      ...(outcome.exitCode === undefined ? {} : { exitCode: outcome.exitCode }),
      ...(outcome.at === undefined ? {} : { at: outcome.at }),
      ...(outcome.seconds === undefined ? {} : { seconds: outcome.seconds }),
      output: new TextDecoder().decode(output.subarray(0, outputLimit)),
      outputCut: cut || output.length > outputLimit,
      newTaints: newTaints(taintBefore, taintAfter),
      ...(outcome.transition === undefined ? {} : { transition: outcome.transition }),
    })),
    findings: result.trialFindings,
  };
}

/** Writes it by rename: a reader finds the old file or the new one. */
export async function writeEvidence(path: string, evidence: Evidence): Promise<void> {
  await writeFileWhole(path, `${JSON.stringify(evidence, undefined, 2)}\n`);
}

/** The first thing that kept a trial from passing, in one line. */
export function whyOf(result: TrialResult): string {
  if (result.kind !== 'done') return result.why;
  const step = result.steps.find(({ step, outcome }) => outcome !== 'passed' && step.need === 'must');
  if (step !== undefined) {
    const how = step.exitCode === undefined ? step.outcome : `${step.outcome} with exit code ${step.exitCode}`;
    return `step ${step.step.number} (${step.step.kind} ${subject(step.step)}) ${how}`;
  }
  const finding = result.trialFindings.find((each) => each.severity !== 'note' && isBlamed(each, result.steps));
  return finding?.title ?? 'every step passed and the kernel had no complaint';
}

function newTaints(before = 0n, after = before): Record<string, string> {
  return Object.fromEntries(taints(after & ~before).map(({ letter, meaning }) => [letter, meaning]));
}

function hundredths(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
