// Switches a guest off at each step of load, revert and unload, boots it again with the same disk, and looks: does status say what the kernel
// says, does the journal know what happened, does the next command work. npm run survive [-- --kernel RELEASE] [-- --step load:begin]
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { root, setUp } from '../scripts/setup.mjs';

const { values } = parseArgs({ options: { kernel: { type: 'string' }, step: { type: 'string', multiple: true } } });
setUp();
const { readSaid } = await import(join(root, 'packages/livegraft/dist/live/testing/said.js'));
const { examplePatch } = await import(join(root, 'packages/livegraft/dist/testing/examples.js'));
const kernel = values.kernel ?? '6.1.0-55-amd64';
const program = join(root, 'packages/livegraft/bin/livegraft.js');
const tools = join(root, 'packages/livegraft/src/live/testing/survive.sh');
const dir = mkdtempSync(join(tmpdir(), 'livegraft-survive-'));
const disk = join(dir, 'disk');

/** Before the step; the step's own arguments. A load that is taken back needs a reader that holds it. */
const steps = {
  'load:begin': { arguments: 'livegraft_one' },
  'load:inserted': { arguments: 'livegraft_one' },
  'load:reversing': { arguments: 'livegraft_pipe --timeout 4' },
  'load:unloading': { arguments: 'livegraft_pipe --timeout 4' },
  'load:end': { arguments: 'livegraft_one' },
  'revert:begin': { before: 'load livegraft_one', arguments: 'livegraft_one' },
  'revert:transition': { before: 'load livegraft_one', arguments: 'livegraft_one' },
  'revert:unloading': { before: 'load livegraft_one', arguments: 'livegraft_one' },
  'revert:end': { before: 'load livegraft_one', arguments: 'livegraft_one' },
  'unload:begin': { left: true, arguments: 'livegraft_one' },
  'unload:end': { left: true, arguments: 'livegraft_one' },
};
const wanted = values.step ?? Object.keys(steps);

function livegraft(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (exit) => resolve({ exit, stdout, stderr }));
  });
}

function scriptOf(previous, step) {
  const { before, left, arguments: args = '' } = steps[step] ?? {};
  const suspect = previous === undefined ? undefined : steps[previous].arguments.split(' ')[0];
  return [
    `LG="${process.execPath} ${program}"`,
    `. ${join(root, 'packages/livegraft/src/live/testing/said.sh')}`,
    `. ${tools}`,
    'run status truth',
    'run journal lg journal --json',
    ...(suspect === undefined ? [] : [`run dry lg load ${suspect} --dry-run --json`]),
    ...(isOpen(previous) ? [`run lift lg quarantine ${suspect} --lift --json`] : []),
    'run load lg load livegraft_one --json',
    'run loaded truth',
    'run revert lg revert livegraft_one --json',
    'run quiet truth',
    ...(step === undefined ? ['last'] : []),
    ...(before === undefined ? [] : [`lg ${before} --quiet`]),
    ...(left ? ['lg load livegraft_one --quiet', 'lg revert livegraft_one --keep-module --quiet'] : []),
    ...(args.includes('pipe') ? ['reader'] : []),
    ...(step === undefined ? [] : [`at ${step} ${step.split(':')[0]} ${args}`, 'run at facts', 'last', 'off']),
    '',
  ].join('\n');
}

/** Whether the machine went down during an attempt: its end was not written down. */
function isOpen(step) {
  return step !== undefined && !step.endsWith(':end');
}

const problems = [];
function check(what, ok, found) {
  if (!ok) problems.push(`${what}: ${typeof found === 'string' ? found : JSON.stringify(found)}`);
  return ok;
}

function judge(previous, said) {
  const json = (label) => {
    const text = said.get(label)?.out ?? '{}';
    return JSON.parse(text.slice(text.indexOf('{')));
  };
  const name = `after ${previous ?? 'nothing'}`;
  for (const label of ['status', 'loaded', 'quiet']) {
    const text = said.get(label)?.out ?? '';
    const facts = text.slice(0, text.indexOf('{')).trim();
    const { livepatches, leftovers } = json(label).result;
    const told = [
      ...livepatches.map((each) => `${each.name} ${Number(each.enabled)} ${Number(each.inTransition)}`),
      ...leftovers.map((each) => `${each} left`),
    ].join('\n');
    check(`${name}, ${label}: status against the kernel`, told === facts, `${told} | ${facts}`);
    check(`${name}, ${label}: what is loaded`, facts === (label === 'loaded' ? 'livegraft_one 1 0' : ''), facts);
  }
  const { attempts, suspects } = json('status').result;
  if (isOpen(previous)) {
    const [action, step] = previous.split(':');
    const [one] = attempts;
    check(
      `${name}: found`,
      attempts.length === 1 && one.how === 'down' && one.action === action && one.step === step,
      attempts,
    );
    check(`${name}: suspected`, suspects.length === 1 && !suspects[0].quarantined, suspects);
    const codes = json('dry').result.findings.map(({ code }) => code);
    check(`${name}: told before the next load`, codes.includes('machine-went-down'), codes);
  } else check(`${name}: nothing is open`, attempts.length === 0 && suspects.length === 0, { attempts, suspects });
  const { torn, damaged } = json('journal').result;
  check(`${name}: journal`, torn === 0 && damaged.length === 0, { torn, damaged });
  for (const label of ['load', 'revert', ...(isOpen(previous) ? ['lift'] : [])])
    check(`${name}: ${label}`, said.get(label)?.exit === 0, said.get(label)?.out ?? 'nothing');
  check(`${name}: nothing left`, json('quiet').result.attempts.length === 0, json('quiet').result);
}

try {
  for (const [example, name] of [
    ['proc-meminfo', 'livegraft_one'],
    ['sleeping-reader', 'livegraft_pipe'],
  ]) {
    const patch = examplePatch({ release: kernel }, example);
    const built = await livegraft(['build', patch, '--kernel', kernel, '-o', dir, '--name', name, '--quiet']);
    if (built.exit !== 0) throw new Error(built.stderr);
  }
  writeFileSync(disk, '');
  truncateSync(disk, 64 << 20);
  execFileSync('mkfs.ext4', ['-q', disk], { env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' } });
  let previous;
  for (const step of [...wanted, undefined]) {
    writeFileSync(join(dir, 'script.sh'), scriptOf(previous, step));
    const began = performance.now();
    const modules = ['--module', 'ext4', '--module', 'crc32c_generic'];
    const ran = await livegraft(['vm', kernel, '--disk', disk, ...modules, '--', 'sh', join(dir, 'script.sh')]);
    const said = readSaid(ran.stdout);
    const before = problems.length;
    if (check(`${step ?? 'the last boot'}: came to its end`, said.has('last'), ran.stdout + ran.stderr))
      judge(previous, said);
    const seconds = Math.round((performance.now() - began) / 1000);
    const then = step === undefined ? '' : `; then off at ${step}`;
    process.stdout.write(
      `${problems.length === before ? 'ok  ' : 'FAIL'} booted after ${previous ?? 'nothing'}${then} (${seconds} s)\n`,
    );
    for (const problem of problems.slice(before)) process.stdout.write(`     ${problem}\n`);
    previous = step;
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
process.stdout.write(`${wanted.length} steps, ${problems.length} problems\n`);
process.exit(problems.length === 0 ? 0 : 1);
