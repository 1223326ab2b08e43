// npm run fuzz: damaged objects, images, modules and patches without end; what is neither a value nor an error with a code is a finding.
// Options: --seconds N, --count N, --seed S, --target NAME (may be repeated), --in FILE… (instead of the built-in inputs), --out DIR, --limit MS.
// A finding is repeated by its own seed: npm run fuzz -- --target diff --seed 1234 --count 1 (with the same --in).
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { nodePackages, root, run } from './setup.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    count: { type: 'string', default: String(2 ** 31) },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    target: { type: 'string', multiple: true, default: [] },
    in: { type: 'string', multiple: true, default: [] },
    out: { type: 'string' },
    limit: { type: 'string', default: '2000' },
    'no-build': { type: 'boolean', default: false },
  },
});
nodePackages();
if (!options['no-build']) run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b']);
const compiled = join(root, 'packages/livegraft/dist/testing/fuzz');
const { targets } = await import(join(compiled, 'targets.js'));
const unknown = options.target.filter((name) => !targets.some((target) => target.name === name));
if (unknown.length > 0) {
  process.stderr.write(`No target ${unknown.join(', ')}; there are ${targets.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

const limit = Number(options.limit);
const out = options.out ?? mkdtempSync(join(tmpdir(), 'livegraft-findings-'));
const end = options.seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(options.seconds) * 1000;
const started = Date.now();
const findings = new Map();
const totals = new Map();
let executions = 0;
const stop = new AbortController();

process.stdout.write(`seed ${options.seed}, findings go to ${out}\n`);
const status = setInterval(show, process.stdout.isTTY ? 1000 : 30_000);
process.on('SIGINT', () => stop.abort());
process.on('SIGTERM', () => stop.abort());
let left = Number(options.count);
for (let seed = Number(options.seed); left > 0 && !stop.signal.aborted && Date.now() < end; ) {
  const done = await executeFrom(seed, left);
  // targets take turns: the next thread begins where the turn was
  seed += done;
  left -= done;
}
clearInterval(status);
show();
process.stdout.write('\n');
for (const [label, count] of [...totals].sort((a, b) => (a[0] < b[0] ? -1 : 1)))
  process.stdout.write(`${String(count).padStart(9)}  ${label}\n`);
for (const [label, { count, example }] of findings)
  process.stdout.write(`FINDING, ${count} times: ${label}\n  ${example}\n`);
process.exit(findings.size > 0 ? 1 : 0);

/** Runs one thread until it is done, hangs or dies; how many executions it began. */
function executeFrom(seed, count) {
  const state = new SharedArrayBuffer(12);
  const view = new Int32Array(state);
  const files = [...options.in, ...positionals];
  const worker = new Worker(join(compiled, 'worker.js'), {
    workerData: { targets: options.target, seed, count, limit, files, state },
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  return new Promise((resolve) => {
    let seen = 0;
    let since = Date.now();
    let labels = [];
    const before = executions;
    const watch = setInterval(() => {
      executions = before + view[0];
      if (view[0] !== seen) {
        seen = view[0];
        since = Date.now();
      }
      if (stop.signal.aborted || Date.now() >= end) void worker.terminate();
      // its own watch stops synchronous work; the rest is left to this one
      else if (view[0] > 0 && Date.now() - since > 10 * limit + 10_000) {
        note({ label: `${targets[view[1]].name}: no end after ${Date.now() - since} ms` });
        void worker.terminate();
      }
    }, 200);
    const note = (found) => record({ target: targets[view[1]].name, seed: view[2], ...found });
    worker.on('message', (message) => {
      if (message.labels === undefined) note(message);
      else labels = message.labels;
    });
    worker.on('error', (error) => note({ label: `${error.code ?? error.name}: ${error.message}`, stack: error.stack }));
    worker.on('exit', () => {
      clearInterval(watch);
      executions = before + view[0];
      for (const [label, times] of labels) totals.set(label, (totals.get(label) ?? 0) + times);
      resolve(Math.max(1, view[0]));
    });
  });
}

/** Keeps the first few of a sort: report and inputs. */
function record({ target, seed, label, damage = [], changes = [], stack = '', input, twin }) {
  const known = findings.get(label) ?? { count: 0, example: join(out, `${target}-${seed}`) };
  findings.set(label, { ...known, count: known.count + 1 });
  if (known.count >= 3) return;
  const folder = join(out, `${target}-${seed}`);
  mkdirSync(folder, { recursive: true });
  const again = `npm run fuzz -- --target ${target} --seed ${seed} --count 1${options.in.map((path) => ` --in ${path}`).join('')}`;
  writeFileSync(
    join(folder, 'report.txt'),
    [label, again, `damage: ${damage.join(', ')}`, ...changes, '', stack, ''].join('\n'),
  );
  if (input !== undefined) writeFileSync(join(folder, 'input'), input);
  if (twin !== undefined) writeFileSync(join(folder, 'twin'), twin);
  process.stdout.write(`\nFINDING ${label}\n  ${again}\n  ${folder}\n`);
}

function show() {
  const seconds = (Date.now() - started) / 1000;
  const rate = (executions / seconds).toFixed(0);
  const line = `${executions} executions, ${rate}/s, ${findings.size} findings, ${seconds.toFixed(0)} s`;
  process.stdout.write(process.stdout.isTTY ? `\r${line}` : `${line}\n`);
}
