/**
 * What survives: livegraft killed at each of its steps, and the machine switched off at some (bench/survive.mjs does that at all), in guests
 * whose disk outlives them. After each: what `status` says is what the kernel says, and the next command works.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examplePatch } from '../testing/examples.ts';
import { compileProgram, livegraft } from '../testing/program.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { readSaid, type Said, telling } from './testing/said.ts';

const kernel = await testKernel();
const tools = fileURLToPath(new URL('testing/survive.sh', import.meta.url));
let dir = '';

/** A boot: runs a script with the tools of testing/survive.sh; what each `run` printed, in order of labels. */
async function boot(script: string): Promise<ReadonlyMap<string, Said>> {
  const path = join(dir, 'script.sh');
  await writeFile(path, `${telling}. ${tools}\n${script}`);
  const modules = ['ext4', 'crc32c_generic'].flatMap((name) => ['--module', name]);
  const args = ['vm', kernel.name, '--disk', join(dir, 'disk'), ...modules, '--', 'sh', path];
  const { stdout, stderr } = await livegraft(args, { cwd: dir });
  const said = readSaid(stdout);
  expect([...said.keys()].at(-1), `${stdout}\n${stderr}`).toBe('last');
  return said;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-survive-vm-'));
  await compileProgram();
  for (const [example, name] of [
    ['proc-meminfo', 'livegraft_one'],
    ['sleeping-reader', 'livegraft_pipe'],
  ] as const) {
    const patch = examplePatch(kernel, example);
    expect(await livegraft(['build', patch, '--kernel', kernel.name, '-o', dir, '--name', name])).toMatchObject({
      exit: 0,
    });
  }
  await writeFile(join(dir, 'disk'), '');
  await truncate(join(dir, 'disk'), 64 << 20);
  execFileSync('mkfs.ext4', ['-q', join(dir, 'disk')], { env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' } });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Document {
  readonly exit: number;
  readonly codes: string[];
  readonly result: Record<string, unknown>;
}

function json(said: ReadonlyMap<string, Said>, label: string): Document {
  const { exit, result, diagnostics } = JSON.parse(said.get(label)?.out ?? 'null');
  expect(exit).toBe(said.get(label)!.exit);
  const told = [...diagnostics, ...(result?.findings ?? [])].map(({ code }: { code: string }) => code);
  return { exit, codes: [...new Set(told)], result };
}

/** `truth` printed what /sys says (name, enabled, transition), twice the same, and status between. */
function expectTrue(said: ReadonlyMap<string, Said>, label: string): Record<string, unknown> {
  const { out } = said.get(label)!;
  const at = out.indexOf('{');
  const { result } = JSON.parse(out.slice(at));
  const livepatches: string[] = result.livepatches.map(
    (each: { name: string; enabled: boolean; inTransition: boolean }) =>
      `${each.name} ${Number(each.enabled)} ${Number(each.inTransition)}\n`,
  );
  const leftovers: string[] = result.leftovers.map((name: string) => `${name} left\n`);
  expect([...livepatches, ...leftovers].sort().join(''), label).toBe(
    out
      .slice(0, at)
      .split('\n')
      .sort()
      .filter(Boolean)
      .map((line) => `${line}\n`)
      .join(''),
  );
  return result;
}

interface Kill {
  /** ACTION:STEP */
  readonly at: string;
  /** Of the livepatch; `livegraft_one` when left out. */
  readonly name?: string;
  /** What the kernel says then. */
  readonly found?: string;
  /** The next command, and its exit code. */
  readonly next?: string;
  readonly exit?: number;
}

/** Killed there; each begins where the one before it ended. */
const kills: readonly Kill[] = [
  { at: 'load:begin', found: 'nothing', next: 'load', exit: 0 },
  { at: 'revert:begin', found: 'active', next: 'revert --keep-module', exit: 0 },
  { at: 'unload:begin', found: 'module-left', next: 'unload', exit: 0 },
  { at: 'load:end' },
  { at: 'revert:end' },
  { at: 'load:inserted', found: 'active', next: 'load', exit: 3 },
  { at: 'revert:transition', found: 'module-left', next: 'load', exit: 7 },
  { at: 'unload:end' },
  // a reader asleep in pipe_read() holds it back; the kernel's own signal may be quicker
  { at: 'load:reversing', name: 'livegraft_pipe', next: 'revert', exit: 0 },
  { at: 'load:unloading', name: 'livegraft_pipe', found: 'module-left', next: 'unload', exit: 0 },
];

function stepScript({ at, next, name = 'livegraft_one' }: Kill): string {
  const timeout = name === 'livegraft_pipe' ? ' --timeout 4' : '';
  return `kill_at ${at} ${name}${timeout}\n${next === undefined ? '' : `next ${next} ${name}\n`}`;
}

test('killed at each step: status is true, the next command finds out and works', { timeout: 1_800_000 }, async () => {
  const said = await boot(`
reader
${kills.map(stepScript).join('')}
run nothing facts
at load:inserted load livegraft_one
run running lg status --json
run second lg revert livegraft_one --json
kill -CONT $lg
wait $lg
kill_at revert:unloading livegraft_one
next unload livegraft_one
run quiet lg status --json
run journal lg journal --json
run leftovers sh -c 'ls -A /run/livegraft | grep tmp; true'
last
`);
  const last: Kill = { at: 'revert:unloading', found: 'module-left', next: 'unload', exit: 0 };
  for (const { at, found: state, next, exit: expected } of [...kills, last]) {
    const result = expectTrue(said, `${at}:status`);
    const [action, step] = at.split(':');
    const found = state === undefined ? {} : { found: state };
    const open = step === 'end' ? [] : [{ action, step, how: 'killed', ...found }];
    expect({ at, attempts: result['attempts'] }).toMatchObject({ at, attempts: open });
    if (next === undefined) continue;
    const { exit, codes } = json(said, `${at}:next`);
    expect({ at, exit }).toEqual({ at, exit: expected });
    expect(codes, at).toContain('attempt-killed');
  }
  expect(said.get('nothing')?.out).toBe('');
  const running = { how: 'running', action: 'load', step: 'inserted' };
  expect(json(said, 'running').result['attempts']).toMatchObject([running]);
  expect(json(said, 'second')).toMatchObject({ exit: 75, codes: ['busy'] });
  expect(json(said, 'quiet').result).toMatchObject({ attempts: [], livepatches: [], leftovers: [] });
  expect(json(said, 'journal').result).toMatchObject({ torn: 0, damaged: [] });
  expect(said.get('leftovers')?.out).toBe('');
});

test('switched off while loading: told, quarantined after the second time, lifted; at boot too', {
  timeout: 1_800_000,
}, async () => {
  const first = await boot(`
run boot-nothing lg boot --json
run enable lg enable livegraft_one --json
run shares lg enable livegraft_one --json
run not-loaded lg status --check --json
at load:inserted load livegraft_one
last
off
`);
  expect(json(first, 'boot-nothing')).toMatchObject({ exit: 0, result: { booted: [] } });
  expect(json(first, 'enable')).toMatchObject({ exit: 0, result: { enabled: true, replaced: false } });
  expect(json(first, 'shares')).toMatchObject({ exit: 0, result: { replaced: true } });
  expect(json(first, 'not-loaded')).toMatchObject({ exit: 1, codes: ['check-failed'] });

  const second = await boot(`
run status lg status --json
run dry lg load livegraft_one --dry-run --json
at load:begin load livegraft_one
last
off
`);
  const down = [{ how: 'down', action: 'load', step: 'inserted' }];
  expect(json(second, 'status').result).toMatchObject({ attempts: down, suspects: [{ quarantined: false }] });
  expect(json(second, 'dry')).toMatchObject({ exit: 0, codes: ['machine-went-down'] });

  const third = await boot(`
run status lg status --json
run list lg list
run refused lg load livegraft_one --json
run boot lg boot --json
run facts facts
run quarantine lg quarantine
run lift lg quarantine livegraft_one --lift --json
run lift-again lg quarantine livegraft_one --lift --json
touch_off
run boot-off lg boot --json
rm /etc/livegraft/off
run boot-lifted lg boot --json
run active facts
run boot-twice lg boot --json
last
off
`);
  expect(json(third, 'status').result).toMatchObject({
    suspects: [{ name: 'livegraft_one', quarantined: true, actions: ['load', 'load'] }],
    enabled: [{ name: 'livegraft_one', loaded: false, why: 'it is quarantined' }],
  });
  expect(third.get('list')?.out).toMatch(/livegraft_one +not here .*quarantined/);
  expect(json(third, 'refused')).toMatchObject({ exit: 4, codes: expect.arrayContaining(['quarantined']) });
  expect(json(third, 'boot')).toMatchObject({ exit: 4, result: { booted: [{ outcome: 'refused' }] } });
  expect(third.get('facts')?.out).toBe('');
  expect(third.get('quarantine')?.out).toMatch(/^livegraft_one {2}quarantined .*went down 2 times/);
  expect(json(third, 'lift').exit).toBe(0);
  expect(json(third, 'lift-again')).toMatchObject({ exit: 2, codes: ['not-quarantined'] });
  expect(json(third, 'boot-off')).toMatchObject({ exit: 0, result: { off: '/etc/livegraft/off is there' } });
  expect(json(third, 'boot-lifted')).toMatchObject({ exit: 0, result: { booted: [{ outcome: 'active' }] } });
  expect(third.get('active')?.out).toBe('livegraft_one 1 0\n');
  expect(json(third, 'boot-twice')).toMatchObject({ exit: 0, result: { booted: [{ outcome: 'loaded-before' }] } });

  // it was switched off before what was loaded at boot had settled
  const fourth = await boot(`
run suspected lg status --json
run boot lg boot --json
run settled lg boot --settled --json
run check lg status --check --json
last
off
`);
  expect(json(fourth, 'suspected').result).toMatchObject({ suspects: [{ quarantined: false, actions: ['load'] }] });
  expect(json(fourth, 'boot')).toMatchObject({ exit: 0, codes: expect.arrayContaining(['machine-went-down']) });
  expect(json(fourth, 'settled')).toMatchObject({ exit: 0, result: { settled: ['livegraft_one'] } });
  expect(json(fourth, 'check').exit).toBe(0);

  const fifth = await boot(`
run status lg status --json
run disable lg disable livegraft_one --json
run disable-again lg disable livegraft_one --json
run boot lg boot --json
last
`);
  expect(json(fifth, 'status').result).toMatchObject({ attempts: [], suspects: [{ actions: ['load'] }] });
  expect(json(fifth, 'disable').exit).toBe(0);
  expect(json(fifth, 'disable-again')).toMatchObject({ exit: 2, codes: ['not-enabled'] });
  expect(json(fifth, 'boot')).toMatchObject({ exit: 0, result: { booted: [] } });
});
