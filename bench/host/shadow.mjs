// npm run shadow -- [--cycles 100]: examples/shadow-field put in and taken out again and again while users come and go. Exit code 1 when a shadow
// variable is left in the kernel after a revert or has no user any more, an object of theirs lives on at the end, a cycle did not end as it should, the
// kernel complained, or memory grows with the cycles.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { setUp } from '../../scripts/setup.mjs';
import { spread, trend } from './statistics.mjs';

const usage = `npm run shadow -- [OPTIONS]
  --cycles N        so many (100); in every fifth the successor replaces the first before it is taken out
  --kernel RELEASE  a kernel of livegraft's cache
  --cpus N          processors of the guest (2)
  --leak WHERE      leave fields behind on purpose, which must be found: end (of the livepatch), free (of a user)
  --json FILE       all figures, all cycles`;

const { values: options } = parseArgs({
  options: {
    cycles: { type: 'string', default: '100' },
    kernel: { type: 'string' },
    cpus: { type: 'string', default: '2' },
    leak: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean' },
  },
});
/** What is left out of the example. */
const leaks = { end: /^\+\tuser_\w+_detach_all\(\);$/gm, free: /^\+\tuser_\w+_detach\(up\);$/gm };
const leak = options.leak === undefined ? undefined : leaks[options.leak];
if (options.help || (options.leak !== undefined && leak === undefined)) {
  process.stdout.write(`${usage}\n`);
  process.exit(options.help ? 0 : 2);
}
setUp();
const { examplePatch } = await import('../../packages/livegraft/dist/testing/examples.js');
const { build, chooseKernel, compileModules, compileProgram, memberOffset, runScript } = await import('./guest.mjs');

const scratch = mkdtempSync(join(tmpdir(), 'livegraft-shadow-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

const tell = (line) => process.stdout.write(`${line}\n`);
const kernel = await chooseKernel(options.kernel);
const wanted = Number(options.cycles);
const name = 'livegraft_shadow_field';
const next = 'livegraft_shadow_successor';
const bundle = build(kernel, patch('example'), name, scratch);
// nobody asks for it in fewer cycles
const successor = wanted < 5 ? scratch : build(kernel, patch('successor'), next, scratch, ['--replace']);
const counter = await compileModules(kernel, ['shadowcount'], scratch);
tell(
  `${wanted} cycles of shadow-field on ${kernel.release} under emulation, ${options.cpus} CPUs, 40 users who come and go`,
);

/** The example's patch, or one that forgets to free fields. */
function patch(file) {
  const path = examplePatch(kernel, 'shadow-field', `${file}.patch`);
  if (leak === undefined) return path;
  const text = readFileSync(path, 'utf8');
  const forgetful = text.replace(leak, '+\tuser_note_detach(NULL);');
  if (forgetful === text) throw new Error(`${path} has no ${leak}`);
  const other = join(scratch, `leak-${file}.patch`);
  writeFileSync(other, forgetful);
  return other;
}

const cycles = [];
const faults = [];
/** Shadow variables in the kernel's table; live objects of theirs; live objects of code that is gone. */
let before = [];
let after = [];
const { run, exitCode } = await runScript(
  kernel,
  'shadow.sh',
  [
    ...[join(bundle, `${name}.ko`), name, join(successor, `${next}.ko`), next],
    ...[wanted, counter, await memberOffset(kernel, 'klp_shadow', 'obj'), compileProgram('users', scratch)],
  ],
  {
    cpus: Number(options.cpus),
    memory: 1024,
    append: 'slub_debug=U,kmalloc-8,kmalloc-64',
    onLine: (line) => {
      const [kind, ...words] = line.split(' ');
      if (kind === 'start') before = words.map(Number);
      else if (kind === 'end') after = words.map(Number);
      else if (kind === 'failed') faults.push(`cycle ${words[1]}: the ${words[0]} did not come to its end`);
      else if (kind === 'cycle') cycle(words);
      else process.stderr.write(`guest: ${line}\n`);
    },
  },
);

function cycle([number, replaced, fields, strays, left, told, seen, t0, t1, t2, t3, SUnreclaim, VmallocUsed, Percpu]) {
  const figures = {
    replaced,
    fields,
    strays,
    left,
    seen,
    load: t1 - t0,
    revert: t3 - t2,
    SUnreclaim,
    VmallocUsed,
    Percpu,
  };
  const found = Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, Number(value)]));
  cycles.push(found);
  const wrong = [
    found.fields === 0 && 'no field while it was in',
    found.strays !== 0 && `${found.strays} fields of users that are gone`,
    found.left !== before[0] && `${found.left - before[0]} shadow variables left in the kernel`,
    told !== '0' && `the example itself says ${told} left`,
    found.seen === 0 && 'no user was seen',
  ].filter(Boolean);
  faults.push(...wrong.map((each) => `cycle ${number}: ${each}`));
  tell(
    `${number.padStart(4)} ${found.fields} fields, ${found.seen} users seen, ${found.left} left, load ${found.load.toFixed(1)} s, revert ${found.revert.toFixed(1)} s${found.replaced === 1 ? ', replaced in between' : ''}${wrong.length === 0 ? '' : `: ${wrong.join('; ')}`}`,
  );
}

/** Cycles that a trend of memory is told from; the first ones fill caches. */
const fewestForTrend = 30;
const settled = cycles.slice(Math.min(10, Math.floor(cycles.length / 4)));
const memory = Object.fromEntries(
  ['SUnreclaim', 'VmallocUsed', 'Percpu'].map((kind) => [kind, trend(settled.map((each) => each[kind]))]),
);
if (exitCode !== 0) faults.push(`the guest: ${run.why}, exit code ${exitCode ?? 'none'}`);
if (cycles.length !== wanted) faults.push(`${cycles.length} of ${wanted} cycles`);
for (const [i, what] of [
  'shadow variables',
  'live objects of shadow variables',
  'live objects of code that is gone',
].entries())
  if (!(after[i] <= before[i])) faults.push(`${after[i]} ${what} at the end, ${before[i]} before`);
for (const { severity, title } of run.findings) if (severity !== 'note') faults.push(`the kernel: ${title}`);
// as in soak.mjs: three times its error, so that chance fails one run of a thousand
for (const [kind, { slope, error }] of settled.length < fewestForTrend ? [] : Object.entries(memory))
  if (slope > 4 && slope > 3 * error)
    faults.push(`${kind} grows by ${slope.toFixed(1)} KiB a cycle (± ${error.toFixed(1)})`);

const figures = (key) => spread(cycles.map((each) => each[key]));
tell('');
for (const [key, what] of [
  ['fields', 'fields while it was in'],
  ['seen', 'users seen in the half second'],
  ['load', 'load, seconds'],
  ['revert', 'revert and unload, seconds'],
]) {
  const { min, median, max } = figures(key);
  tell(
    `${what.padEnd(34)} ${[min, median, max].map((value) => (Number.isInteger(value) ? value : value.toFixed(1))).join(' / ')}`,
  );
}
for (const [kind, { slope, error }] of Object.entries(memory))
  tell(
    `${`${kind}, KiB a cycle`.padEnd(34)} ${slope.toFixed(2)} ± ${error.toFixed(2)}${settled.length < fewestForTrend ? ' (too few cycles to judge)' : ''}`,
  );
tell(`shadow variables in the kernel     ${before[0]} before, ${after[0]} after`);
tell(
  `live objects of theirs, by the slab ${before[1]} before, ${after[1]} after; of code that is gone ${before[2]}, ${after[2]}`,
);
if (options.json !== undefined)
  writeFileSync(
    options.json,
    `${JSON.stringify({ schema: 1, kernel: kernel.release, wanted, cycles, memory, before, after, faults }, null, 1)}\n`,
  );
tell(faults.length === 0 ? 'Nothing was left behind.' : `FAILED:\n${faults.slice(0, 20).join('\n')}`);
process.exitCode = faults.length === 0 ? 0 : 1;
