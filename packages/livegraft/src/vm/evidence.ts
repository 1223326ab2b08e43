/** What a trial proves, as the stable, versioned file that travels with a bundle: `evidence.json`. Read back it is checked field by field. */
import * as v from 'valibot';
import { writeFileWhole } from '../support/files.ts';
import { isBlamed, type TrialResult } from './run.ts';
import { taints } from './taint.ts';
import { subject } from './trial.ts';

const list = <T extends v.GenericSchema>(of: T) => v.pipe(v.array(of), v.readonly());
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const blocker = v.object({
  tid: count,
  comm: v.string(),
  /** As in /proc/PID/stat. */
  state: v.string(),
  /** Where it sleeps, innermost first; taken only when a transition lasts. */
  stack: v.exactOptional(list(v.string())),
});

const step = v.object({
  number: count,
  kind: v.string(),
  subject: v.string(),
  need: v.picklist(['must', 'may']),
  outcome: v.string(),
  exitCode: v.exactOptional(v.number()),
  /** Seconds of the guest's clock. */
  at: v.exactOptional(v.number()),
  seconds: v.exactOptional(v.number()),
  /** UTF-8, other bytes replaced; the first 64 KiB. */
  output: v.string(),
  outputCut: v.boolean(),
  /** Taint letters that the kernel gained during the step, and what they mean. */
  newTaints: v.record(v.string(), v.string()),
  transition: v.exactOptional(
    list(
      v.object({
        /** Seconds since the step began. */
        at: v.number(),
        inTransition: v.boolean(),
        left: count,
        tasks: count,
        blockers: list(blocker),
      }),
    ),
  ),
});

const finding = v.object({
  kind: v.string(),
  severity: v.picklist(['fatal', 'bad', 'note']),
  title: v.string(),
  step: v.exactOptional(count),
  /** Seconds since the guest's kernel started. */
  time: v.exactOptional(v.number()),
  lines: list(v.string()),
});

export const evidenceSchema = v.object({
  schema: v.literal(1),
  verdict: v.picklist(['passed', 'failed', 'panicked', 'hung', 'lost']),
  /** Why, in one line. */
  why: v.string(),
  /** ISO 8601. */
  started: v.string(),
  kernel: v.object({ release: v.string() }),
  /** What was tried: sha256 of each module, by its name; absent in evidence of livegraft 0.1. */
  bundles: v.optional(v.record(v.string(), v.string()), {}),
  machine: v.object({
    qemu: v.string(),
    accel: v.picklist(['tcg', 'kvm']),
    /** `image`: booted as on iron, with KASLR; `payload`: quicker, without. */
    boot: v.picklist(['image', 'payload']),
    cpus: count,
    /** MiB. */
    memory: count,
  }),
  /** Seconds: of the host's clock. */
  times: v.object({ boot: v.exactOptional(v.number()), total: v.number() }),
  steps: list(step),
  findings: list(finding),
});

export type Evidence = v.InferOutput<typeof evidenceSchema>;
export type EvidenceStep = v.InferOutput<typeof step>;
export type EvidenceFinding = v.InferOutput<typeof finding>;

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
