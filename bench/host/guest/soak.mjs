// In the guest: a server is hammered and stress-ng runs while one livepatch is loaded and reverted again and again, by livegraft's own code.
// Prints a line of JSON for each cycle and one at the end. Its argument says what, in JSON (bench/host/soak.mjs).
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

const { livegraft, bundle: path, cycles, echo, threads, stressors, cliEvery, timeout } = JSON.parse(process.argv[2]);
const dist = join(livegraft, 'packages/livegraft/dist');
const program = join(livegraft, 'packages/livegraft/bin/livegraft.js');
const [{ readBundle }, { hostRoots: roots }, { preflight }, { load }, { revert }, { readLivepatches }] =
  await Promise.all(
    ['bundle/bundle', 'host/roots', 'live/preflight', 'live/load', 'live/revert', 'host/livepatch'].map(
      (name) => import(join(dist, `${name}.js`)),
    ),
  );
const silent = { step: (_title, work) => work(silent), detail: () => undefined, say: () => undefined };

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
// Whoever passes our output on sleeps in pipe_read(), which is replaced: a line now and then moves it. 15 s would be the kernel's own way.
setInterval(() => {
  process.stdout.write('.\n');
  process.stderr.write('.\n');
}, 200).unref();

const text = (file) => readFileSync(file, 'utf8');
const modules = () => text('/proc/modules').trim().split('\n').length;

/** KiB, by the kernel's own names; modules are a count. */
function memory() {
  const lines = Object.fromEntries(
    [...text('/proc/meminfo').matchAll(/^(\w+):\s+(\d+)/gm)].map(([, name, value]) => [name, Number(value)]),
  );
  const { MemAvailable, SReclaimable, SUnreclaim, VmallocUsed, Percpu, PageTables, KernelStack, Shmem } = lines;
  return {
    MemAvailable,
    SReclaimable,
    SUnreclaim,
    VmallocUsed,
    Percpu,
    PageTables,
    KernelStack,
    Shmem,
    modules: modules(),
  };
}

/** Without cached names of files: the stressors make ever more of them, and the kernel counts the long ones as memory that it cannot take back. */
function settledMemory() {
  writeFileSync('/proc/sys/vm/drop_caches', '2');
  return memory();
}

/** With caches given back, three times a second apart: the best of each. */
async function restingMemory() {
  const looks = [];
  for (let i = 0; i < 3; i++) {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    await sleep(1000);
    looks.push(memory());
  }
  return Object.fromEntries(
    Object.keys(looks[0]).map((name) => {
      const values = looks.map((look) => look[name]);
      return [name, name === 'MemAvailable' ? Math.max(...values) : Math.min(...values)];
    }),
  );
}

/** `0.20 0.18 0.12 1/80 11206`: of the last minute, and how many tasks there are. */
function loadAverage() {
  const [load1, , , tasks] = text('/proc/loadavg').split(' ');
  return { load1: Number(load1), tasks: Number(tasks.split('/')[1]) };
}

function counters() {
  try {
    return JSON.parse(text('/tmp/client.json'));
  } catch {
    return undefined;
  }
}

async function until(what, condition, seconds = 120) {
  const deadline = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`no ${what} within ${seconds} s`);
    await sleep(200);
  }
}

async function ended(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-child.pid, signal);
  await over;
}

const start = (command, args) => spawn(command, args, { stdio: 'ignore', detached: true });
const bundle = await readBundle(path);
const { name } = bundle.manifest;

/** One cycle in this process: seconds of each part. */
async function cycleHere() {
  const { findings } = await preflight(bundle, roots, {});
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join('; '));
  const began = performance.now();
  const loaded = await load({ bundle, roots, timeout, onStall: 'revert', wait: true, progress: silent });
  const between = performance.now();
  const problems = loaded.problems.map(({ code }) => code);
  if (loaded.outcome !== 'active') return { outcome: loaded.outcome, problems };
  const active = readLivepatches(roots).find((each) => each.name === name)?.state;
  // the new code at work for a moment
  await sleep(500);
  const reverting = performance.now();
  const reverted = await revert({ roots, name, timeout, keepModule: false, progress: silent });
  return {
    outcome: active === 'active' && reverted.unloaded ? reverted.outcome : `${active}, ${reverted.outcome}`,
    problems: [...problems, ...reverted.problems.map(({ code }) => code)],
    load: (between - began) / 1000,
    transition: loaded.transition.seconds,
    revert: (performance.now() - reverting) / 1000,
    reversal: reverted.transition.seconds,
  };
}

/** One cycle by the program, as an operator types it. */
async function cycleByProgram() {
  // it says in its document how it ended
  const run = (...args) =>
    new Promise((resolve) => {
      execFile(process.execPath, [program, ...args, '--json', '--quiet'], (_error, stdout) =>
        resolve(JSON.parse(stdout)),
      );
    });
  const loaded = await run('load', path, '--timeout', String(timeout));
  if (loaded.result?.outcome !== 'active')
    return { outcome: loaded.result?.outcome ?? 'failed', problems: loaded.diagnostics.map(({ code }) => code) };
  const reverted = await run('revert', name, '--timeout', String(timeout));
  return {
    outcome: reverted.result?.unloaded ? reverted.result.outcome : (reverted.result?.outcome ?? 'failed'),
    problems: reverted.diagnostics.map(({ code }) => code),
    transition: loaded.result.transition.seconds,
    reversal: reverted.result?.transition.seconds,
    tasks: loaded.result.transition.tasks,
  };
}

/** What a cycle must not leave behind. */
function leftovers() {
  const found = readLivepatches(roots).map((each) => `livepatch ${each.name}`);
  if (text('/proc/modules').includes(`${name} `)) found.push(`module ${name}`);
  const moving = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && text(`/proc/${pid}/patch_state`).trim() !== '-1';
    } catch {
      return false;
    }
  });
  if (moving.length > 0) found.push(`${moving.length} processes with a patch state`);
  try {
    const held = text('/sys/kernel/debug/tracing/enabled_functions')
      .split('\n')
      .filter((line) => bundle.manifest.functions.some((fn) => line.startsWith(`${fn.name} `)));
    found.push(...held.map((line) => `ftrace: ${line}`));
  } catch {
    // a kernel without tracefs: not seen
  }
  return found;
}

const server = start(echo, ['server', '7000']);
await sleep(500);
const client = start(echo, ['client', '7000', String(threads), '/tmp/client.json']);
await until('answers', () => (counters()?.answered ?? 0) > 0);
const before = await restingMemory();
const modulesBefore = modules();
say({ kind: 'start', before, kernel: text('/proc/version').trim(), functions: bundle.manifest.functions.length });

const stress = start('nice', ['-n', '19', 'stress-ng', '--temp-path', '/tmp', ...stressors]);
await sleep(3000);
const began = performance.now();
for (let number = 1; number <= cycles; number++) {
  const byProgram = cliEvery > 0 && number % cliEvery === 0;
  const asked = counters()?.asked ?? 0;
  const started = performance.now();
  let cycle;
  try {
    cycle = await (byProgram ? cycleByProgram() : cycleHere());
  } catch (error) {
    cycle = { outcome: 'failed', problems: [error.message] };
  }
  say({
    kind: 'cycle',
    number,
    byProgram,
    ...cycle,
    seconds: (performance.now() - started) / 1000,
    requests: (counters()?.asked ?? 0) - asked,
    left: leftovers(),
    memory: settledMemory(),
    ...loadAverage(),
  });
  if (cycle.outcome !== 'reverted') break;
}
const seconds = (performance.now() - began) / 1000;
const stressRan = stress.exitCode === null;
await ended(stress, 'SIGTERM');
await sleep(2000);
const after = await restingMemory();
await ended(client, 'SIGTERM');
const requests = counters();
await ended(server, 'SIGKILL');
say({ kind: 'end', seconds, after, requests, stressRan, left: leftovers(), modules: [modulesBefore, modules()] });
process.exit(0);
