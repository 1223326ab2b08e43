/** One execution: an input damaged as its seed says, the target's work on it within bounds, and what came of that. */
import { Script } from 'node:vm';
import { FormatError } from '@livegraft/binfmt/format-error';
import { Exit, LivegraftError } from '../../diagnostics/diagnostic.ts';
import { Random } from './random.ts';
import type { Target } from './targets.ts';

/** Most that one execution may hold at its end, bytes; inputs are a few hundred kilobytes. */
const memoryLimit = 256 * 1024 * 1024;

export interface Execution {
  readonly target: Target;
  readonly seed: number;
  /** Names of the mutators, in the order they were used; `*` marks those of the twin. */
  readonly damage: readonly string[];
  readonly input: Uint8Array;
  readonly twin: Uint8Array;
  /** What `input` was before. */
  readonly whole: Uint8Array;
}

export type Outcome =
  | { readonly kind: 'value' | 'refused'; readonly label: string }
  /** What must not happen: an error without a code, too much time, too much memory. */
  | { readonly kind: 'finding'; readonly label: string; readonly stack: string };

/** The execution that belongs to a seed; the same seeds and inputs give the same one. */
export function prepare(target: Target, seed: number, wholes: readonly Uint8Array[]): Execution {
  const random = new Random(seed);
  const index = random.below(wholes.length);
  const whole = wholes[index]!;
  const beside = wholes[index ^ 1] ?? whole;
  const damage: string[] = [];
  const mutate = (bytes: Uint8Array, mark: string): Uint8Array => {
    let damaged = bytes;
    for (let left = 1 + random.below(random.oneIn(4) ? 8 : 2); left > 0; left--) {
      const name = random.pick(Object.keys(target.mutators));
      damage.push(name + mark);
      damaged = target.mutators[name]!(damaged, random, wholes);
    }
    return damaged;
  };
  const input = mutate(whole, '');
  const twin = random.oneIn(3) ? beside : random.oneIn(2) ? whole : random.oneIn(2) ? input : mutate(beside, '*');
  return { target, seed, damage, input, twin, whole };
}

/** Runs the work. @param limit milliseconds of synchronous work; a first excess is tried once more, for the machine may be busy */
export async function execute({ target, input, twin }: Execution, limit: number): Promise<Outcome> {
  const before = held();
  try {
    const label = await withinTime(() => target.run(input, twin), limit);
    const more = held() - before;
    if (more > memoryLimit) return finding(new Error(`too much memory: ${more} bytes are held at the end`));
    return { kind: 'value', label };
  } catch (error) {
    if (target.errors === 'format' ? error instanceof FormatError : isRefusal(error)) {
      return { kind: 'refused', label: (error as FormatError | LivegraftError).code };
    }
    return finding(error);
  }
}

function isRefusal(error: unknown): boolean {
  // exit code 1 says that livegraft itself, or a tool, failed
  return error instanceof LivegraftError && error.exit !== Exit.failed;
}

function finding(error: unknown): Outcome {
  const { name, message, stack = '' } = error instanceof Error ? error : new Error(`${String(error)} was thrown`);
  const place =
    /\(?([^\s(]*\/(?:packages|dist|src)\/[^\s)]*?):\d+\)?$/m.exec(stack)?.[1]?.replace(/^.*\/(?:src|dist)\//, '') ??
    'nowhere';
  return {
    kind: 'finding',
    label: `${name}: ${message.split('\n')[0]!.slice(0, 120).replaceAll(/\d+/g, 'N')} in ${place}`,
    stack,
  };
}

function held(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const call = new Script('livegraftFuzzWork()');

/** Calls a function so that it is stopped when it takes longer. A promise that it returns is not watched. */
function withinTime<T>(work: () => T, limit: number, again = true): T {
  (globalThis as { livegraftFuzzWork?: () => T }).livegraftFuzzWork = work;
  try {
    return call.runInThisContext({ timeout: limit }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    if (again) return withinTime(work, limit, false);
    throw new Error(`too much time: more than ${limit} ms, twice`, { cause: error });
  } finally {
    delete (globalThis as { livegraftFuzzWork?: () => T }).livegraftFuzzWork;
  }
}

/** The same finding with less damage: parts of the input are put back as they were, for as long as it stays. */
export async function reduce(execution: Execution, label: string, limit: number): Promise<Execution> {
  let best = execution;
  const { whole } = execution;
  if (whole.length !== execution.input.length) return best;
  for (let size = 1 << 16; size >= 1; size >>= 2) {
    for (let at = 0; at < whole.length; at += size) {
      const part = whole.subarray(at, at + size);
      if (Buffer.compare(part, best.input.subarray(at, at + size)) === 0) continue;
      const input = Uint8Array.from(best.input);
      input.set(part, at);
      const tried = { ...best, input };
      const outcome = await execute(tried, limit);
      if (outcome.label === label) best = tried;
    }
  }
  return best;
}

/** Which bytes are not as they were: `0x40: 01 → ff`, the first few. */
export function describeDamage({ whole, input }: Execution): string[] {
  const lines: string[] = [];
  if (whole.length !== input.length) lines.push(`${whole.length} bytes → ${input.length}`);
  for (let at = 0; at < Math.min(whole.length, input.length) && lines.length < 40; at++) {
    if (whole[at] !== input[at]) lines.push(`0x${at.toString(16)}: ${hex(whole[at]!)} → ${hex(input[at]!)}`);
  }
  return lines;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
