/** The thread of `npm run fuzz` that executes: it tells each finding, and in shared memory where it is, so that it can be stopped. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { describeDamage, execute, prepare, reduce } from './execute.ts';
import { sharedObjects } from './objects.ts';
import { type Target, targets } from './targets.ts';

export interface WorkerRequest {
  /** Names of targets; empty for all. */
  readonly targets: readonly string[];
  readonly seed: number;
  readonly count: number;
  /** Milliseconds for one execution. */
  readonly limit: number;
  readonly files: readonly string[];
  /** Int32: executions begun, index of the target, seed. */
  readonly state: SharedArrayBuffer;
}

export interface WorkerFinding {
  readonly target: string;
  readonly seed: number;
  readonly label: string;
  readonly damage: readonly string[];
  readonly changes: readonly string[];
  readonly stack: string;
  readonly input: Uint8Array;
  readonly twin: Uint8Array;
}

const request = workerData as WorkerRequest;
const state = new Int32Array(request.state);
const port = parentPort!;
const chosen = targets.filter(({ name }) => request.targets.length === 0 || request.targets.includes(name));
const files = request.files.map((path) => readFileSync(path));
const wholes = new Map<Target, readonly Uint8Array[]>();
const labels = new Map<string, number>();

function wholesOf(target: Target): readonly Uint8Array[] {
  const known = wholes.get(target);
  if (known !== undefined) return known;
  const isElf = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(0, 4)).toString('latin1') === '\x7fELF';
  const given = files.filter((bytes) => isElf(bytes) === (target.takes === 'elf'));
  const made = target.seeds();
  // real objects take long, small ones find more
  const real = target.takes === 'elf' ? sharedObjects(60_000) : [];
  const all = given.length > 0 ? given : [...made, ...made, ...made, ...real];
  wholes.set(target, all);
  return all;
}

const seen = new Map<string, number>();
for (let i = 0; i < request.count; i++) {
  const index = i % chosen.length;
  const target = chosen[index]!;
  const seed = request.seed + i;
  state[1] = targets.indexOf(target);
  state[2] = seed;
  state[0] = i + 1;
  const execution = prepare(target, seed, wholesOf(target));
  const outcome = await execute(execution, request.limit);
  const key = `${target.name}: ${outcome.kind === 'finding' ? 'FINDING ' : ''}${outcome.label}`;
  labels.set(key, (labels.get(key) ?? 0) + 1);
  if (outcome.kind === 'finding') {
    const times = (seen.get(outcome.label) ?? 0) + 1;
    seen.set(outcome.label, times);
    if (times > 3) continue;
    const slow = outcome.label.includes('too much');
    const reduced = slow ? execution : await reduce(execution, outcome.label, request.limit);
    port.postMessage({
      target: target.name,
      seed,
      label: outcome.label,
      damage: execution.damage,
      changes: describeDamage(reduced),
      stack: outcome.stack,
      input: reduced.input,
      twin: reduced.twin,
    } satisfies WorkerFinding);
  }
  if (i % 1000 === 999) port.postMessage({ labels: [...labels] });
}
port.postMessage({ labels: [...labels] });
