/** What a trial proves, made of what became of the guest. */
import type { Evidence } from '../bundle/evidence.ts';
import { writeFileWhole } from '../support/files.ts';
import { isBlamed, type TrialResult } from '../vm/run.ts';
import { taints } from '../vm/taint.ts';
import { subject } from '../vm/trial.ts';

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
