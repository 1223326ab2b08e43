/**
 * The journal's format: newline-delimited JSON, one entry a line, in the order of events. A last line without its newline was cut off by a power cut
 * or a kill; it was never synced, so what it was about to record had not been begun. Anything else that cannot be read is damage.
 */
import * as v from 'valibot';

export const actions = ['load', 'revert', 'unload', 'enable', 'disable', 'lift'] as const;
export type Action = (typeof actions)[number];

/**
 * `begin`: before the kernel is touched. `inserted`: it took the module, the transition goes on. `transition`: it was told to take the livepatch back.
 * `reversing`: a load is about to be taken back. `unloading`: the module is about to be unloaded. `end`: with its outcome.
 * `settled`: a load at boot has stood the test of time. `down`: found at a later boot, the machine went down during the attempt.
 */
export const steps = ['begin', 'inserted', 'transition', 'reversing', 'unloading', 'end', 'settled', 'down'] as const;
export type Step = (typeof steps)[number];

const text = v.string();

/** What a later livegraft adds is kept and ignored; another `schema` is not understood. */
const entrySchema = v.looseObject({
  schema: v.literal(1),
  /** ISO 8601, UTC; clocks lie, so nothing is decided by it. */
  time: text,
  /** Seconds. */
  uptime: v.number(),
  /** /proc/sys/kernel/random/boot_id */
  bootId: text,
  /** Entries of one attempt have the same. */
  attempt: text,
  action: text,
  step: text,
  /** The livepatch, which is its module. */
  name: v.optional(text),
  /** GNU build-id of that module: what a quarantine is about. */
  moduleId: v.optional(text),
  /** The one that ran; for `enable` and `disable` the one that is meant. */
  kernel: v.optional(v.looseObject({ release: text, buildId: v.optional(text) })),
  pid: v.number(),
  /** Start of that process in clock ticks since boot: with `pid` its identity. */
  started: v.optional(text),
  uid: v.number(),
  /** Behind sudo. */
  user: v.optional(text),
  outcome: v.optional(text),
  exit: v.optional(v.number()),
  /** Codes of the diagnostics at its end. */
  codes: v.optional(v.array(text)),
  /** `end` of a load at boot: the attempt is over when it has settled. */
  pending: v.optional(v.literal(true)),
});

export type JournalEntry = v.InferOutput<typeof entrySchema>;

export interface JournalContent {
  readonly entries: readonly JournalEntry[];
  /** Bytes at the end that are a line cut off; the file is good up to there. */
  readonly torn: number;
  /** The last entry is whole, but for its newline. */
  readonly unended: boolean;
  /** Lines, from 1, that are no entries. */
  readonly damaged: readonly { readonly line: number; readonly problem: string }[];
}

const newline = 0x0a;

export function parseJournal(bytes: Uint8Array): JournalContent {
  const entries: JournalEntry[] = [];
  const damaged: { line: number; problem: string }[] = [];
  let start = 0;
  for (let line = 1; start < bytes.length; line++) {
    const at = bytes.indexOf(newline, start);
    const parsed = parseEntry(bytes.subarray(start, at < 0 ? bytes.length : at));
    if (typeof parsed !== 'string') entries.push(parsed);
    else if (at < 0) return { entries, torn: bytes.length - start, unended: false, damaged };
    else damaged.push({ line, problem: parsed });
    if (at < 0) return { entries, torn: 0, unended: true, damaged };
    start = at + 1;
  }
  return { entries, torn: 0, unended: false, damaged };
}

/** An entry, or what is wrong with the line. */
function parseEntry(bytes: Uint8Array): JournalEntry | string {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return 'no JSON';
  }
  const parsed = v.safeParse(entrySchema, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  return `${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`;
}

/** One line; JSON writes line breaks within texts as escapes. */
export function formatEntry(entry: JournalEntry): string {
  return `${JSON.stringify(entry)}\n`;
}
