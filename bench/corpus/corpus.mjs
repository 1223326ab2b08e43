// npm run corpus: real fixes through the whole way. Builds each patch of a folder, sorts the outcomes, tries what was built in its kernel.
// Writes results.json and results.md; what was done is not done again for the same patch, kernel and build of livegraft.
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { root, setUp } from '../../scripts/setup.mjs';
import { buildAll, keepRecord, writeWhole } from './builds.mjs';
import { tryAll } from './guests.mjs';
import { livegraft, programHash } from './program.mjs';
import { score } from './reasons.mjs';
import { reportText, scoreLine } from './report.mjs';
import { makePatches, sample } from './sample.mjs';

const usage = `npm run corpus -- --kernel RELEASE (--patches DIR | --maker SCRIPT --from VERSION --to VERSION) [OPTIONS]
  --kernel RELEASE   a kernel of livegraft's cache
  --patches DIR      a folder of .patch files, each for this kernel's source, -p1
  --maker SCRIPT     makes the folder: SCRIPT FROM TO DIR
  --count N          so many of them (all)
  --seed S           another sample (1)
  --jobs J           builds at a time (1)
  --timeout SECONDS  a build may take (600)
  --load             try what was built, many bundles a guest
  --per-guest N      so many (25)
  --program FILE     another livegraft.js
  --out DIR          results, bundles (livegraft-corpus/RELEASE in the cache folder)`;

const { values: options } = parseArgs({
  options: {
    kernel: { type: 'string' },
    patches: { type: 'string' },
    maker: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    count: { type: 'string' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    timeout: { type: 'string', default: '600' },
    load: { type: 'boolean' },
    'per-guest': { type: 'string', default: '25' },
    program: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function whole(name) {
  const value = Number(options[name]);
  if (!Number.isInteger(value) || value < 1) fail(`--${name} takes a whole number from 1, not ${options[name]}`);
  return value;
}

if (options.help) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}
const made = options.maker !== undefined && options.from !== undefined && options.to !== undefined;
if (options.kernel === undefined || (options.patches === undefined && !made)) fail(usage);
if (options.program === undefined) setUp();

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));

const { kernel } = options;
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
const out = resolve(options.out ?? join(cache, 'livegraft-corpus', kernel));
const program = resolve(options.program ?? join(root, 'packages/livegraft/bin/livegraft.js'));
const run = {
  program,
  programHash: programHash(program),
  kernel,
  out,
  jobs: whole('jobs'),
  timeout: whole('timeout'),
  perGuest: whole('per-guest'),
  signal: interrupted.signal,
};
mkdirSync(join(out, 'bundles'), { recursive: true });

const records = [];
let total = 0;

function writeResults() {
  const done = records.filter((each) => each !== undefined);
  const about = { kernel, program: run.programHash, total };
  const document = { schema: 1, ...about, seed: options.seed, score: score(done), records: done };
  writeWhole(join(out, 'results.json'), `${JSON.stringify(document, undefined, 2)}\n`);
  writeWhole(join(out, 'results.md'), reportText(about, done));
}

function tell(text) {
  process.stderr.write(`${text}\n`);
}

/** Without the kernel every patch would come out as refused. */
async function requireKernel() {
  const { exit, document } = await livegraft({ ...run, args: ['kernel', 'show', kernel], timeout: 120 });
  if (exit !== 0) throw new Error(document?.diagnostics[0]?.message ?? `livegraft kernel show ${kernel}: ${exit}`);
}

/** Tries what has no outcome in a guest yet. */
async function load() {
  const waiting = records.filter((each) => each.outcome === 'built' && each.load === undefined);
  if (waiting.length === 0) return;
  await tryAll(waiting, run, (record, outcome) => {
    record.load = outcome;
    keepRecord(record, run);
    writeResults();
    tell(`${record.patch} ${outcome.verdict}: ${outcome.why} (target ${outcome.reload})`);
  });
}

try {
  const folder = resolve(options.patches ?? join(out, `patches-${options.from}-${options.to}`));
  if (options.patches === undefined) {
    const { maker, from, to } = options;
    await makePatches({ maker: resolve(maker), from, to, folder, signal: run.signal });
  }
  await requireKernel();
  const count = options.count === undefined ? Number.POSITIVE_INFINITY : whole('count');
  const patches = sample(folder, { count, seed: options.seed });
  total = patches.length;
  await buildAll(patches, run, (index, record, known) => {
    records[index] = record;
    const codes = record.codes.length === 0 ? '' : `: ${record.codes.join(', ')}`;
    const how = known ? 'known' : `${record.seconds.toFixed(1)} s`;
    tell(`${index + 1}/${total} ${record.patch} ${record.outcome}${codes} (${how})`);
    if (!known) writeResults();
  });
  if (options.load) await load();
} catch (error) {
  process.exitCode = run.signal.aborted ? 130 : 1;
  tell(error.constructor === Error ? error.message : error.stack);
}
const done = records.filter((each) => each !== undefined);
if (done.length > 0) {
  writeResults();
  process.stdout.write(`${scoreLine(done)}\n${join(out, 'results.md')}\n`);
}
