/**
 * The zoo of blockers: each made on purpose in a guest, named as the kernel itself names it, and brought through or taken back. The module
 * zoo.ko holds the kernel's own signal off, or brings it at once: nothing here depends on who is faster. The table of ways to wake in
 * docs/blockers.md is made here.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BTF_KIND } from '@livegraft/binfmt/btf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Blocker } from '../host/blockers.ts';
import type { Waking } from '../host/wake.ts';
import { readImage } from '../kernel/image.ts';
import { compileProgram, livegraft, program } from '../testing/program.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { readSaid } from './testing/said.ts';
import { buildZoo, scripts } from './testing/zoo/build.ts';
import { markdownTable, patience, sightsOf } from './testing/zoo/table.ts';

const kernel = await testKernel();
const document = fileURLToPath(new URL('../../../../docs/blockers.md', import.meta.url));
let dir = '';
let btf = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-zoo-'));
  await compileProgram();
  await buildZoo(kernel, dir);
  [btf = 0] = (await readImage(kernel)).btf.named(BTF_KIND.FUNC, 'pipe_write');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** What each `run LABEL COMMAND` of a script printed. */
async function inGuest(script: string): Promise<(label: string) => string> {
  const settings = [`Z=${dir}`, `S=${scripts}`, `BTF=${btf}`, `T=${patience}`, `LG=${process.execPath} ${program}`];
  const guest = await livegraft(['vm', kernel.name, '--', 'env', ...settings, 'sh', join(scripts, `${script}.sh`)]);
  const parts = readSaid(guest.stdout);
  if (!parts.has('log')) throw new Error(`${script}.sh did not reach its end:\n${guest.stdout}\n${guest.stderr}`);
  return (label) => {
    const part = parts.get(label)?.out;
    if (part === undefined) throw new Error(`${script}.sh has no ${label}`);
    return part;
  };
}

type Part = Awaited<ReturnType<typeof inGuest>>;

interface Result {
  readonly blockers: readonly Blocker[];
  readonly tasks: readonly Waking[];
  readonly findings: readonly { readonly code: string; readonly message: string }[];
}

function result(part: Part, label: string): Result {
  return (JSON.parse(part(label)) as { result: Result }).result;
}

const blockersOf = (part: Part, label: string): readonly Blocker[] => result(part, label).blockers;

/** Command → reason and function. */
const reasons = (part: Part, label: string): Record<string, string> =>
  Object.fromEntries(
    blockersOf(part, label).map(({ task, reason, where }) => [
      task?.comm ?? 'idle',
      `${reason}${where === undefined ? '' : ` ${where.symbol}`}`,
    ]),
  );

const outcomes = (part: Part, label: string): Record<string, string> =>
  Object.fromEntries(result(part, label).tasks.map(({ task, outcome }) => [task.comm, outcome]));

/** What the kernel itself says of its tries: task → reason. */
function oracle(text: string): Map<number, string> {
  const said = new Map<number, string>();
  for (const [, tid, what] of text.matchAll(
    /klp_try_switch_task: .*:(\d+) (is running|has an unreliable stack|is sleeping on function \S+)/g,
  ))
    said.set(Number(tid), what!.replace('is sleeping on function ', ''));
  return said;
}

const noComplaint = (part: Part): void => expect(part('log')).not.toMatch(/WARNING|BUG:|Oops|Call Trace/);

describe('each kind', () => {
  let part: Part;
  beforeAll(async () => {
    part = await inGuest('blockers');
  });

  test('is named with its reason and its function', () => {
    expect(reasons(part, 'blockers')).toMatchObject({
      'pipe.own': 'in-function pipe_read',
      'tty.own': 'in-function n_tty_read',
      'sleep.own': 'in-function hrtimer_nanosleep',
      'poll.own': 'in-function do_sys_poll',
      'epoll.own': 'in-function do_epoll_wait',
      'futex.own': 'in-function futex_wait',
      'traced.own': 'in-function pipe_read',
      'vfork.own': 'vfork kernel_clone',
      'stopped.own': 'stopped get_signal',
      'held.own': 'traced get_signal',
      'pipe.cold': 'frozen get_signal',
      zoo_writer: 'unreliable-stack',
    });
    const text = (comm: string): string | undefined =>
      blockersOf(part, 'blockers').find(({ task }) => task?.comm === comm)?.text;
    expect(text('vfork.own')).toMatch(/until its child zoo_child \(\d+\) ends/);
    expect(text('held.own')).toMatch(/debugger of zoo_gdb \(\d+\)/);
    expect(text('pipe.cold')).toContain('/sys/fs/cgroup/cold');
    expect(text('zoo_writer')).toMatch(
      /pipe_write\(\) \(bpf_trampoline_\d+\): program \d+ "zoo_watch" of zoo_edr \(\d+\)/,
    );
  });

  test('the kernel says the same of the same tasks, and of no others', () => {
    const said = oracle(part('oracle'));
    const named = new Map(
      blockersOf(part, 'blockers').map(({ task, where, reason }) => [
        task!.tid,
        reason === 'unreliable-stack' ? 'has an unreliable stack' : (where?.symbol ?? reason),
      ]),
    );
    expect(named).toEqual(said);
  });

  test('what sleeps in a function of the bundle is told before it is loaded; livegraft’s own threads are not', () => {
    const { findings } = result(part, 'dry-run');
    const occupied = findings.filter(({ code }) => code === 'function-occupied').map(({ message }) => message);
    expect(occupied.some((message) => message.includes('tty.own'))).toBe(true);
    expect(occupied.join('\n')).not.toMatch(/node/);
  });

  test('--dry-run touches nobody', () => {
    expect(outcomes(part, 'dry-wake')).toMatchObject({ 'pipe.own': 'would', 'epoll.own': 'left' });
    expect(reasons(part, 'untouched')).toEqual(reasons(part, 'blockers'));
  });

  test('wake takes those that cannot notice, and says why it leaves the others', () => {
    expect(outcomes(part, 'wake')).toMatchObject({
      ...{ 'pipe.own': 'moved', 'tty.own': 'moved', 'sleep.own': 'moved', 'poll.own': 'moved', 'futex.own': 'moved' },
      ...{ 'epoll.own': 'left', 'traced.own': 'left', 'vfork.own': 'left', 'stopped.own': 'left', 'held.own': 'left' },
      ...{ 'pipe.cold': 'left', zoo_writer: 'left' },
    });
    expect(reasons(part, 'after')).not.toHaveProperty('tty.own');
    expect(reasons(part, 'after')).toHaveProperty('vfork.own');
  });

  test('the others come through by what their advice says', () => {
    expect(outcomes(part, 'named')).toEqual({ 'epoll.own': 'moved' });
    expect(outcomes(part, 'continue')).toEqual({ 'stopped.own': 'moved' });
    // a program that was detached leaves its trampoline on the stacks that are there
    expect(reasons(part, 'detached')).toMatchObject({ zoo_writer: 'unreliable-stack' });
    expect(outcomes(part, 'writer')).toEqual({ zoo_writer: 'moved' });
    expect(Object.keys(reasons(part, 'last')).filter((comm) => comm !== 'cat')).toEqual(
      expect.arrayContaining(['vfork.own', 'traced.own']),
    );
    expect(reasons(part, 'last')).not.toHaveProperty('held.own');
    expect(reasons(part, 'last')).not.toHaveProperty('pipe.cold');
    expect(result(part, 'active')).toMatchObject({ side: null, blockers: [] });
  });

  test('a getty reads what is typed later; the readers did not notice', () => {
    expect(part('saw')).toMatch(/^read 5 0 /m);
    expect(part('saw')).not.toMatch(/^(read|nanosleep|poll|futex) -1 4 /m);
    // epoll_wait was woken by name, and told that it would notice
    expect(part('saw')).toMatch(/^epoll_wait -1 4 /m);
    expect(part('saw')).toMatch(/^stops 0 /m);
  });

  test('taken back in the middle: those in the new functions hold, and only they; turned round again', () => {
    expect(reasons(part, 'back')).toMatchObject({
      'pipe.back': 'in-function pipe_read',
      'tty.back': 'in-function n_tty_read',
    });
    for (const { where, task } of blockersOf(part, 'back')) expect(where?.module, task?.comm).toBe('livegraft_zoo');
    expect(part('turned')).toBe('1\n');
    expect(outcomes(part, 'wake-back')).toMatchObject({ 'pipe.back': 'moved', 'tty.back': 'moved' });
    expect(part('gone')).toBe('gone\n');
  });

  test('a kernel thread that never leaves its function, one that sleeps, and one that is merely busy', () => {
    expect(reasons(part, 'threads')).toMatchObject({ zoo_wait: 'in-function zoo_wait' });
    const spin = blockersOf(part, 'threads').find(({ task }) => task?.comm === 'zoo_spin');
    expect(spin).toMatchObject({ kind: 'kernel-thread', reason: 'running' });
    expect(oracle(part('thread-oracle')).get(spin!.task!.tid)).toMatch(/is running|zoo_spin/);
    const busy = blockersOf(part, 'threads').find(({ task }) => task?.comm === 'zoo_busy');
    expect(busy?.where).toBeUndefined();
    expect(outcomes(part, 'threads-wake')).toMatchObject({ zoo_spin: 'left', zoo_wait: 'left' });
    expect(reasons(part, 'threads-signalled')).not.toHaveProperty('zoo_wait');
    expect(reasons(part, 'threads-signalled')).toHaveProperty('zoo_spin');
    expect(result(part, 'threads-back')).toMatchObject({ outcome: 'reverted', unloaded: true });
  });

  test('the kernel has nothing to complain about', () => noComplaint(part));
});

// a quarter of an hour for both: not in every run
const long = process.env['LIVEGRAFT_LONG'] !== undefined;

describe.skipIf(!long)('ways to wake', () => {
  let part: Part;
  beforeAll(async () => {
    part = await inGuest('wake');
  });

  test('the table of docs/blockers.md is what was seen', async () => {
    const woken = new Map(
      ['ptrace', 'freeze'].flatMap((way) =>
        result(part, way).tasks.map(({ task, outcome }) => [`${way} ${task.comm.split('.')[0]}`, outcome] as const),
      ),
    );
    const table = markdownTable(sightsOf(part('saw'), woken));
    if (process.env['LIVEGRAFT_UPDATE'] !== undefined) {
      const text = await readFile(document, 'utf8');
      await writeFile(
        document,
        text.replace(/\| program \|[\s\S]*?\n\n/, () => `${table}\n\n`),
      );
    }
    // what had ended before it was woken, on a machine that is too slow, says nothing
    const lines = table.split('\n').filter((line) => !line.includes('| ? |'));
    const known = await readFile(document, 'utf8');
    for (const line of lines) expect(known).toContain(line);
  });

  test('all were woken but the one that is traced, and nobody else was touched', () => {
    for (const way of ['ptrace', 'freeze']) {
      const { traced, ...others } = Object.fromEntries(
        Object.entries(outcomes(part, way)).map(([comm, outcome]) => [comm.split('.')[0], outcome]),
      );
      expect(traced, way).toBe('left');
      expect(new Set(Object.values(others)), way).toEqual(new Set(['moved']));
    }
    expect(part('left')).toContain('traced.ptrace');
    expect(part('left')).toContain('pipe.stop');
    expect(part('left')).not.toMatch(/(pipe|tty|futex)\.(ptrace|freeze)/);
  });

  test('nothing is left of freezing: not by us, and not by one that was killed', () => {
    // those that ended while they were frozen show the cell they ended in
    expect(part('cgroups')).not.toMatch(/livegraft-wake-\d+$/m);
    expect(part('cgroups')).toMatch(/0::\/box\/freeze\n/);
    expect(part('frozen')).toMatch(/^0::\/box\/late\/livegraft-wake-\d+\n$/);
    expect(part('leftover')).toBe('No transition is going on\n');
    expect(part('thawed')).toBe('0::/box/late\n');
  });

  test('the kernel has nothing to complain about', () => noComplaint(part));
});

describe.skipIf(!long)('crowds', () => {
  let part: Part;
  beforeAll(async () => {
    part = await inGuest('crowd');
  });

  test('a thousand threads are one line, at 80 and at 200 columns, and on ten lines', () => {
    const herd = blockersOf(part, 'herd').filter(({ task }) => task?.comm === 'herd');
    expect(herd).toHaveLength(1000);
    expect(new Set(herd.map(({ reason, where }) => `${reason} ${where?.symbol}`))).toEqual(
      new Set(['in-function pipe_read']),
    );
    for (const [label, columns] of [
      ['screen-80', 80],
      ['screen-200', 200],
    ] as const) {
      const lines = part(label).replaceAll('\r', '').trimEnd().split('\n');
      expect(Math.max(...lines.map((line) => line.length)), label).toBeLessThanOrEqual(columns);
      expect(lines.length, label).toBeLessThan(24);
    }
    expect(part('screen-10').trimEnd().split('\n').length).toBeLessThanOrEqual(10);
    expect(part('file')).toMatch(/^100\d +sleep in pipe_read\(\): .*herd \(1000, /m);
  });

  test('a thousand are woken at once, and read what comes', () => {
    const { tasks } = result(part, 'wake');
    const herd = tasks.filter(({ task }) => task.comm === 'herd');
    expect(herd).toHaveLength(1000);
    expect(new Set(herd.map(({ outcome }) => outcome))).toEqual(new Set(['moved']));
  });

  test('a storm of processes: no wrong names', () => {
    const known =
      /^(storm|sh|cat|sleeper|herd|pipe\.own|keeper\.own|kworker\S*|ksoftirqd\S*|rcu\S*|migration\S*|kthreadd)$/;
    for (const label of ['storm-1', 'storm-2', 'storm-3'])
      for (const { task } of blockersOf(part, label)) expect(task?.comm ?? 'sh', label).toMatch(known);
    expect(reasons(part, 'storm-1')).toMatchObject({ 'pipe.own': 'in-function pipe_read' });
  });

  test('the kernel has nothing to complain about', () => noComplaint(part));
});
