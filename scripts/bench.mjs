// npm run bench: how long things take and how much memory a build needs, whole processes, medians. Figures in the documentation come from here.
// Options: --runs N (5), --json, --skip-fetch; --only PART for one of help, builds, differ, trial, fetch, host; --picture FILE: the gaps of `host` as SVG.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { root, setUp } from './setup.mjs';

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    json: { type: 'boolean' },
    'skip-fetch': { type: 'boolean' },
    only: { type: 'string' },
    picture: { type: 'string' },
  },
});
setUp();
const runs = Number(options.runs);
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'livegraft');
const livegraft = join(root, 'packages/livegraft/bin/livegraft.js');
const patch = join(root, 'examples/proc-meminfo/example.patch');
const scratch = mkdtempSync(join(tmpdir(), 'livegraft-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** Runs livegraft; returns seconds, its output and, with `memory` (which costs time), the peak of all its processes' memory together, bytes. */
function measure(args, { env = {}, memory = false } = {}) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(process.execPath, [livegraft, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let peak = 0;
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    const timer = memory ? setInterval(() => (peak = Math.max(peak, treeMemory(child.pid))), 50) : undefined;
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(timer);
      if (code !== 0) reject(new Error(`livegraft ${args.join(' ')} ended with exit code ${code}\n${stderr}${stdout}`));
      else resolve({ seconds: (performance.now() - started) / 1000, peak, stdout });
    });
  });
}

/** Resident memory of a process and its descendants, bytes. */
function treeMemory(pid) {
  const parents = new Map();
  const sizes = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      parents.set(Number(name), Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]));
      sizes.set(Number(name), Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // gone meanwhile
    }
  }
  const belongs = (each) => each === pid || (parents.has(each) && parents.get(each) > 1 && belongs(parents.get(each)));
  return [...sizes.keys()].filter(belongs).reduce((sum, each) => sum + sizes.get(each), 0);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const results = [];
function report(what, unit, values, goal) {
  const digits = unit === 'ms' || unit === 'MB' ? 0 : 1;
  const row = {
    what,
    unit,
    median: Number(median(values).toFixed(digits)),
    min: Number(Math.min(...values).toFixed(digits)),
    max: Number(Math.max(...values).toFixed(digits)),
    runs: values.length,
    goal,
  };
  results.push(row);
  if (!options.json)
    process.stdout.write(
      `${what.padEnd(58)} ${String(row.median).padStart(7)} ${unit.padEnd(2)} (${row.min} … ${row.max}, ${row.runs} runs)${goal ? `  goal ${goal}` : ''}\n`,
    );
}

async function repeat(count, work) {
  const values = [];
  for (let i = 0; i < count; i++) values.push(await work(i));
  return values;
}

const kernel = await chooseKernel();
let host;
const parts = { help, builds, differ, trial, fetch: fetchCold, host: runningKernel };
if (options.only !== undefined && parts[options.only] === undefined) {
  process.stderr.write(`--only takes one of ${Object.keys(parts).join(', ')}\n`);
  process.exit(2);
}
for (const [name, measurePart] of Object.entries(parts)) {
  const wanted = options.only === undefined ? name !== 'fetch' || !options['skip-fetch'] : name === options.only;
  if (wanted) await measurePart();
}
if (options.json)
  process.stdout.write(`${JSON.stringify({ schema: 1, node: process.version, kernel, results, host }, null, 2)}\n`);

/** In guests: gaps in the execution of a program, and what a call of a patched function costs. */
async function runningKernel() {
  const { benchHost } = await import('../bench/host/host.mjs');
  const tell = options.json ? undefined : (line) => process.stdout.write(`${line}\n`);
  host = await benchHost(scratch, { kernel, picture: options.picture, tell });
}

async function chooseKernel() {
  const preferred = '6.1.0-55-amd64';
  const { result } = JSON.parse((await measure(['kernel', 'list', '--json', '--quiet'])).stdout);
  if (result.some((each) => each.name === preferred)) return preferred;
  if (result.length > 0) return result.at(-1).name;
  const offered = JSON.parse((await measure(['kernel', 'list', '--available', '--json', '--quiet'])).stdout).result;
  const name = offered.some((each) => each.release === preferred && each.missing.length === 0)
    ? preferred
    : offered.filter((each) => each.missing.length === 0 && /^6\.1\.0-\d+-amd64$/.test(each.release)).at(-1).release;
  await measure(['kernel', 'fetch', name, '--quiet']);
  return name;
}

async function help() {
  await measure(['--help']);
  report(
    'livegraft --help',
    'ms',
    await repeat(runs * 2, async () => (await measure(['--help'])).seconds * 1000),
    '150 ms',
  );
}

/** With a cache of its own for compiled objects, which it empties; the kernels are those of the ordinary one. */
async function builds() {
  const own = join(scratch, 'builds', 'livegraft');
  mkdirSync(own, { recursive: true });
  symlinkSync(join(cache, 'kernels'), join(own, 'kernels'));
  const env = { XDG_CACHE_HOME: dirname(own) };
  const build = (n, memory = false) =>
    measure(['build', patch, '--kernel', kernel, '-o', scratch, '--name', `bench_${n}`, '--quiet'], { memory, env });
  const forget = () => rmSync(join(own, 'objects'), { recursive: true, force: true });
  await build(0);
  const warm = await repeat(runs, async (i) => {
    forget();
    return build(i);
  });
  report(
    'build, one unit, compiled anew (3 objects and the glue)',
    's',
    warm.map((each) => each.seconds),
    '15 s',
  );
  report(
    '  peak memory of livegraft and all it runs',
    'MB',
    await repeat(3, async (i) => {
      forget();
      return (await build(i, true)).peak / 1e6;
    }),
    '500 MB',
  );
  const cached = await repeat(runs, () => build(0));
  report(
    'build, one unit, all objects cached: what is ours',
    's',
    cached.map((each) => each.seconds),
    '2 s',
  );
}

/** The differ: real pairs in one process, as a build has them, and a synthetic object of 40,000 sections as a whole process. */
async function differ() {
  const { readElf } = await import('../packages/binfmt/dist/elf/read.js');
  const { diffObjects } = await import('../packages/livegraft/dist/objdiff/diff.js');
  const folder = join(root, '../shared/kpatch-unit/x86_64');
  if (existsSync(folder)) {
    const files = readdirSync(folder);
    const pairs = files
      .filter((file) => file.endsWith('.ORIG.o'))
      .map((file) => [file, files.find((other) => other.startsWith(file.replace('ORIG.o', 'PATCHED.')))])
      .map((names) => names.map((file) => readFileSync(join(folder, file))));
    const round = () =>
      pairs.map(([original, patched]) => {
        const started = performance.now();
        try {
          diffObjects('unit.c', readElf(original), readElf(patched), { marked: false });
        } catch {
          // refused: that takes its time too
        }
        return performance.now() - started;
      });
    round();
    report(`differ, in process once warm, each of kpatch's ${pairs.length} pairs`, 'ms', round(), '150 ms');
  }
  for (const sections of [10_000, 20_000, 40_000]) {
    const [original, patched] = ['original', 'patched'].map((side) => synthetic(sections / 2, side));
    const seconds = await repeat(Math.min(runs, 3), () => measure(['diff', original, patched, '--quiet']));
    report(
      `diff, whole process, ${sections} sections`,
      's',
      seconds.map((each) => each.seconds),
      sections === 40_000 ? '5 s' : undefined,
    );
  }
}

/** An object of so many functions, each with a variable, in sections of their own; some numbered as the compiler numbers clones and static locals. */
function synthetic(count, side) {
  const name = (i) => (i % 10 === 0 ? `f.constprop.${i}` : `f${i}`);
  const variable = (i) => (i % 10 === 0 ? `v${i}` : `count.${i}`);
  const lines = Array.from({ length: count }, (_, i) => {
    const value = side === 'patched' && i === count - 10 ? 1 << 20 : i;
    return `.section .text.${name(i)},"ax",@progbits
.type ${name(i)},@function
${name(i)}: mov ${variable(i)}(%rip),%rax
call ${name((i + 1) % count)}
mov $${value},%eax
ret
.size ${name(i)},.-${name(i)}
.section .bss.${variable(i)},"aw",@nobits
.type ${variable(i)},@object
.size ${variable(i)},8
${variable(i)}: .zero 8
`;
  });
  const object = join(scratch, `${side}-${count}.o`);
  const assembled = spawnSync('as', ['-o', object, '-'], { input: lines.join('') });
  if (assembled.status !== 0) throw new Error(`as: ${assembled.stderr}`);
  return object;
}

async function trial() {
  const bundle = join(scratch, 'bench_0');
  if (!existsSync(bundle))
    await measure(['build', patch, '--kernel', kernel, '-o', scratch, '--name', 'bench_0', '--quiet']);
  const evidences = await repeat(
    Math.min(runs, 3),
    async () => JSON.parse((await measure(['try', bundle, '--json', '--quiet'])).stdout).result,
  );
  report(
    'boot under emulation, QEMU start to the first script',
    's',
    evidences.map((each) => each.times.boot),
  );
  const loaded = evidences.map((each) => {
    const load = each.steps.find((step) => step.kind === 'load');
    const first = each.steps[0];
    return each.times.boot + (load.at - first.at);
  });
  report('boot to load (QEMU start to the livepatch being loaded)', 's', loaded, '10 s');
  report(
    '  the transition',
    's',
    evidences.map((each) => each.steps.find((step) => step.kind === 'load').seconds),
  );
  report(
    '  the whole trial: load, revert, unload',
    's',
    evidences.map((each) => each.times.total),
  );
}

/** The kernel fetched into an empty cache that has the downloads already. */
async function fetchCold() {
  const seconds = await repeat(Math.min(runs, 3), async (i) => {
    const home = join(scratch, `cache-${i}`);
    for (const part of ['debs', 'apt']) cpSync(join(cache, part), join(home, 'livegraft', part), { recursive: true });
    const { seconds: took } = await measure(['kernel', 'fetch', kernel, '--quiet'], { env: { XDG_CACHE_HOME: home } });
    rmSync(home, { recursive: true, force: true });
    return took;
  });
  report('kernel fetch, cold, download apart', 's', seconds);
}
