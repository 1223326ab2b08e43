/** `evidence.json`: what a trial showed, as the stable, versioned file that travels with a bundle. Read back it is checked field by field. */
import * as v from 'valibot';

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
