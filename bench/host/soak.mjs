// npm run soak -- [--cycles 200]: load, revert, unload again and again in a guest under stress-ng, while a server is hammered. Exit code 1 when
// a request was lost, a cycle did not end as it should, something stayed behind, the kernel complained, or memory grows with the cycles.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { forSoak, setUp } from '../../scripts/setup.mjs';
import { hotFunctions, saying, writeHotPatch } from './hot.mjs';
import { log2Quantile, spread, trend } from './statistics.mjs';

const usage = `npm run soak -- [OPTIONS]
  --cycles N        so many (200)
  --kernel RELEASE  a kernel of livegraft's cache
  --cpus N          processors of the guest (2)
  --memory MIB      (2048)
  --threads N       of the client (4)
  --cli-every N     each Nth cycle by the program in a process of its own; 0: none (10)
  --timeout SECONDS of a transition, after which the run has failed (120)
  --json FILE       all figures, all cycles`;

const { values: options } = parseArgs({
  options: {
    cycles: { type: 'string', default: '200' },
    kernel: { type: 'string' },
    cpus: { type: 'string', default: '2' },
    memory: { type: 'string', default: '2048' },
    threads: { type: 'string', default: '4' },
    'cli-every': { type: 'string', default: '10' },
    timeout: { type: 'string', default: '120' },
    json: { type: 'string' },
    console: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}
setUp({ more: forSoak });
const { build, chooseKernel, compileProgram, runScript, snapshot } = await import('./guest.mjs');

/** CPU, memory, files, sockets, pipes, signals; small, since emulation is slow, and each all the time. */
const stressors = [
  ...['--cpu', '1', '--vm', '1', '--vm-bytes', '32M'],
  ...['--hdd', '1', '--hdd-bytes', '4M', '--dentry', '1', '--dentries', '128'],
  ...['--sock', '1', '--udp', '1', '--pipe', '2', '--sigq', '1', '--sigpending', '1', '--fork', '1'],
];

const scratch = mkdtempSync(join(tmpdir(), 'livegraft-soak-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

const tell = (line) => process.stdout.write(`${line}\n`);
const kernel = await chooseKernel(options.kernel);
const name = 'livegraft_soak';
const patch = writeHotPatch(kernel.paths.source, scratch);
const bundle = build(kernel, patch, name, scratch);
const wanted = Number(options.cycles);
tell(
  `${wanted} cycles on ${kernel.release} under emulation, ${options.cpus} CPUs, ${options.memory} MiB: ${hotFunctions.join(', ')}`,
);
tell(`stress-ng ${stressors.join(' ')}`);

const cycles = [];
let first;
let last;
const started = new Date();
const { run, exitCode } = await runScript(
  kernel,
  'soak.mjs',
  [
    JSON.stringify({
      livegraft: snapshot(scratch),
      bundle,
      cycles: wanted,
      echo: compileProgram('echo', scratch),
      threads: Number(options.threads),
      stressors,
      cliEvery: Number(options['cli-every']),
      timeout: Number(options.timeout),
    }),
  ],
  {
    cpus: Number(options.cpus),
    memory: Number(options.memory),
    onLine: (line) => {
      if (!line.startsWith('{')) return void process.stderr.write(`guest: ${line}\n`);
      const event = JSON.parse(line);
      if (event.kind === 'start') first = event;
      else if (event.kind === 'end') last = event;
      else if (event.kind === 'cycle') {
        cycles.push(event);
        tellCycle(event);
      }
    },
  },
);
if (options.console !== undefined) writeFileSync(options.console, run.console);

function tellCycle({ number, byProgram, outcome, transition, reversal, seconds, tasks, requests, problems, left }) {
  const figure = (value) => (value === undefined ? '-' : value.toFixed(1)).padStart(5);
  const faults = [...problems, ...left];
  tell(
    `${String(number).padStart(4)} ${outcome} transition ${figure(transition)} s, reversal ${figure(reversal)} s, all ${figure(seconds)} s, ` +
      `${tasks} tasks, ${requests} requests${byProgram ? ', by the program' : ''}${faults.length === 0 ? '' : `: ${faults.join('; ')}`}`,
  );
}

const done = cycles.filter(({ outcome }) => outcome === 'reverted');
const times = (key) => done.map((cycle) => cycle[key]).filter((value) => value !== undefined);
const kinds = ['MemAvailable', 'SUnreclaim', 'SReclaimable', 'VmallocUsed', 'Percpu', 'PageTables', 'KernelStack'];
/** Cycles that a trend of memory is told from: over fewer, caches that fill under stress-ng look like a leak. */
const fewestForTrend = 30;
// the first cycles still fill caches
const settled = done.slice(Math.min(10, Math.floor(done.length / 4)));
const memory = Object.fromEntries(
  kinds.map((kind) => [
    kind,
    {
      before: first?.before[kind],
      after: last?.after[kind],
      ...trend(settled.map((cycle) => cycle.memory[kind])),
    },
  ]),
);
const says = Object.fromEntries(hotFunctions.map((fn) => [fn, run.console.split(`${saying} ${fn}() runs`).length - 1]));
const complaints = run.findings.filter(({ severity }) => severity !== 'note');
const nudges = run.console.split('signaling remaining tasks').length - 1;

const faults = judge();
const result = {
  schema: 1,
  started: started.toISOString(),
  kernel: kernel.release,
  cpus: Number(options.cpus),
  memoryMiB: Number(options.memory),
  stressors: stressors.join(' '),
  wanted,
  cycles: done.length,
  seconds: last?.seconds,
  passed: faults.length === 0,
  faults,
  transition: spread(times('transition')),
  reversal: spread(times('reversal')),
  load: spread(times('load')),
  revert: spread(times('revert')),
  tasks: spread(times('tasks')),
  nudges,
  says,
  requests: last?.requests,
  memory,
  modules: last?.modules,
  complaints,
  all: cycles,
};
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`);
table();
process.exitCode = faults.length === 0 ? 0 : 1;

function judge() {
  const found = [];
  if (exitCode !== 0) found.push(`the guest: ${run.why}, exit code ${exitCode ?? 'none'}`);
  if (done.length !== wanted) found.push(`${done.length} of ${wanted} cycles`);
  for (const { number, problems, left } of cycles) {
    if (problems.length + left.length > 0) found.push(`cycle ${number}: ${[...problems, ...left].join('; ')}`);
  }
  for (const finding of complaints) found.push(`the kernel: ${finding.title}`);
  for (const [fn, times] of Object.entries(says)) {
    if (times < done.length) found.push(`the new ${fn}() ran in ${times} of ${done.length} cycles`);
  }
  if (last === undefined) return [...found, 'no last word from the guest'];
  if (!last.stressRan) found.push('stress-ng ended early');
  if (last.left.length > 0) found.push(`left at the end: ${last.left.join('; ')}`);
  if (last.modules[0] !== last.modules[1]) found.push(`${last.modules[0]} modules before, ${last.modules[1]} after`);
  const { asked, answered, wrong, refused, reset, closed, interrupted } = last.requests;
  const bad = { wrong, refused, reset, closed, interrupted, unanswered: asked - answered };
  for (const [kind, count] of Object.entries(bad)) if (count !== 0) found.push(`${count} requests ${kind}`);
  // what a cycle could leak is at least a page; three times its error, so that chance fails one run of a thousand
  for (const kind of settled.length < fewestForTrend ? [] : ['VmallocUsed', 'Percpu', 'SUnreclaim']) {
    const { slope, error } = memory[kind];
    if (slope > 4 && slope > 3 * error)
      found.push(`${kind} grows by ${slope.toFixed(1)} KiB a cycle (± ${error.toFixed(1)})`);
  }
  return found;
}

function table() {
  const row = (what, ...cells) => tell(`${what.padEnd(34)}${cells.map((cell) => String(cell).padStart(12)).join('')}`);
  const fixed = (value) => (value === undefined ? '-' : value.toFixed(1));
  tell('');
  row('seconds', 'min', 'median', 'p95', 'max');
  for (const [what, { min, median, p95, max }] of [
    ['transition (load to active)', result.transition],
    ['reversal', result.reversal],
    ['load, all of it', result.load],
    ['revert and unload, all of it', result.revert],
  ])
    row(what, ...[min, median, p95, max].map(fixed));
  row('tasks there were', ...[result.tasks.min, result.tasks.median, result.tasks.p95, result.tasks.max]);
  tell('');
  row('KiB', 'before', 'after', 'a cycle', '± (1 s.e.)');
  for (const kind of kinds) {
    const { before, after, slope, error } = memory[kind];
    row(kind, before ?? '-', after ?? '-', slope.toFixed(2), error.toFixed(2));
  }
  if (settled.length < fewestForTrend)
    tell(
      `memory is not judged: that takes ${fewestForTrend} cycles behind the first ones, and these are ${settled.length}`,
    );
  if (last !== undefined) {
    row('modules', ...last.modules);
    const { asked, answered, wrong, refused, reset, closed, interrupted, slow, connections, longest, log2us } =
      last.requests;
    tell('');
    tell(
      `requests: ${asked} asked, ${answered} answered; ${wrong} wrong, ${refused} refused, ${reset} reset, ${closed} closed, ${interrupted} interrupted`,
    );
    tell(
      `  over ${connections} connections; half within ${log2Quantile(log2us, 0.5) / 1000} ms, 99 % within ${log2Quantile(log2us, 0.99) / 1000} ms, longest ${(longest / 1000).toFixed(0)} ms, ${slow} slower than 1 s`,
    );
  }
  tell(
    `the kernel's log: ${complaints.length} complaints; it signalled sleepers in ${nudges} of ${2 * done.length} transitions`,
  );
  tell(`${done.length} cycles in ${fixed(last?.seconds)} s`);
  for (const fault of faults) tell(`FAILED: ${fault}`);
  if (faults.length === 0) tell('All as it should be.');
}
