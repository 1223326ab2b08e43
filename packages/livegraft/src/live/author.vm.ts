/**
 * What patches say by livegraft.h, in a kernel: the order of callbacks, one that refuses, a patch taken back in mid-transition, a shadow
 * variable over many cycles (LIVEGRAFT_CYCLES, 20), states.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readModule } from '../kernel/modules.ts';
import { examplePatch, pipeReader } from '../testing/examples.ts';
import { compileProgram, livegraft } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { readSaid, type Said, telling } from './testing/said.ts';

const kernel = await testKernel();
const sleepsIn = await pipeReader(kernel);
const cycles = Number(process.env['LIVEGRAFT_CYCLES'] ?? 20);
let dir = '';

let said: ReadonlyMap<string, Said>;

/** `calls`: which callbacks ran since it was asked last. */
const script = `${telling}
settled() { [ "$(cat /sys/kernel/livepatch/$1/transition)" = 0 ]; }
gone() { [ ! -e /sys/kernel/livepatch/$1 ]; }
left() { ls /sys/kernel/livepatch; grep livegraft_ /proc/modules; true; }
calls() { dmesg | sed -n 's/.*livegraft example: //p' >/tmp/calls; tail -n +$(($(cat /tmp/told) + 1)) /tmp/calls; wc -l </tmp/calls >/tmp/told; }
insert() { insmod $1/$1.ko && wait_for settled $1; }
remove() { echo 0 >/sys/kernel/livepatch/$1/enabled && wait_for gone $1 && wait_for rmmod $1; }
memory() { grep -E 'MemAvailable' /proc/meminfo; grep -cE 'load_module|execmem' /proc/vmallocinfo; }
echo 0 >/tmp/told

run late-load lg load livegraft_calls --json
run late-note lg status --json
run late-calls calls
run late-module insmod ./pktgen.ko
run late-module-calls calls
run late-gone rmmod pktgen
run late-gone-calls calls
run late-again insmod ./pktgen.ko
run late-again-calls calls
run late-revert lg revert livegraft_calls --json
run late-revert-calls calls
rmmod pktgen

run refuse lg load livegraft_refuse --json
run refuse-calls calls
run refuse-left left

run picky-load insert livegraft_picky
# busybox insmod tries a second time by itself
run picky-tries sh -c 'insmod ./pktgen.ko || insmod ./pktgen.ko'
run picky-calls calls
run picky-works cat /proc/net/pktgen/pgctrl
run picky-remove remove livegraft_picky
rmmod pktgen
calls >/dev/null

mkfifo /tmp/pipe
sleep 1000 3<>/tmp/pipe &
cat /tmp/pipe >/tmp/read &
reader=$!
wait_for grep -q pipe_read /proc/$reader/stack
run middle sh -c 'insmod livegraft_middle/livegraft_middle.ko && cat /sys/kernel/livepatch/livegraft_middle/transition && echo 0 >/sys/kernel/livepatch/livegraft_middle/enabled'
wait_for gone livegraft_middle
wait_for rmmod livegraft_middle
run middle-calls calls
kill $reader

insert livegraft_shadow; remove livegraft_shadow; calls >/dev/null
run memory-before memory
i=0
while [ $i -lt ${cycles} ]; do
  insert livegraft_shadow && /usr/sbin/chroot --userspec=1000:1000 / true && /usr/sbin/chroot --userspec=1001:1001 / true && remove livegraft_shadow || break
  i=$((i + 1))
done
run cycles echo $i
run cycles-calls calls
run memory-after memory
run cycles-left left

seen() { /usr/sbin/chroot --userspec=1000:1000 / true; }
run state-one insert livegraft_shadow
/usr/sbin/chroot --userspec=1000:1000 / sleep 1000 &
user=$!
wait_for grep -q Uid:.1000 /proc/$user/status
calls >/dev/null
run state-one-seen seen
run state-one-calls calls
cat /tmp/pipe >/tmp/read &
reader=$!
wait_for grep -q pipe_read /proc/$reader/stack
run turned sh -c 'insmod livegraft_turned/livegraft_turned.ko && cat /sys/kernel/livepatch/livegraft_turned/transition && echo 0 >/sys/kernel/livepatch/livegraft_turned/enabled'
wait_for gone livegraft_turned
wait_for rmmod livegraft_turned
kill $reader
run turned-seen seen
run turned-calls calls
run state-two lg load livegraft_shadow2 --json
wait_for rmmod livegraft_shadow
run state-two-seen sh -c '/usr/sbin/chroot --userspec=1000:1000 / true && sleep 1 && /usr/sbin/chroot --userspec=1000:1000 / true'
run state-two-calls calls
run state-list lg list
run state-preflight lg load livegraft_shadow --dry-run --json
run state-unknown lg load livegraft_stateless --dry-run --json
run state-kernel insmod livegraft_shadow/livegraft_shadow.ko
run state-kernel-says sh -c 'dmesg | grep "not compatible"'
run state-remove remove livegraft_shadow2
run state-end-calls calls
kill $user
run log sh -c 'dmesg | grep -E "WARNING|BUG|Oops|RIP:"; true'
`;

const say = (text: string): string => `pr_info("livegraft example: ${text}\\n");`;
const callback = (name: string, kind: string, body = ''): string => {
  const type = kind === 'pre_patch' ? 'int' : 'void';
  const end = kind === 'pre_patch' && body === '' ? 'return 0;' : body;
  return `static ${type} ${name}_${kind}(struct klp_object *obj) { ${say(`${name} ${kind}`)} ${end} }
LIVEGRAFT_${kind.toUpperCase()}(${name}_${kind});
`;
};
const kinds = ['pre_patch', 'post_patch', 'pre_unpatch', 'post_unpatch'];
const all = (name: string, pre = ''): string =>
  `#include <livegraft.h>\n${kinds.map((kind) => callback(name, kind, kind === 'pre_patch' ? pre : '')).join('')}`;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-author-vm-'));
  await compileProgram();
  const build = async (name: string, text: string, ...flags: string[]): Promise<void> => {
    const patch = join(dir, `${name}.patch`);
    await writeFile(patch, text, 'latin1');
    const built = await livegraft(['build', patch, '--kernel', kernel.name, '-o', dir, '--name', name, ...flags]);
    expect(built, built.stderr).toMatchObject({ exit: 0 });
  };
  const version = 'static int version_proc_show(';
  const uptime = 'static int uptime_proc_show(';
  const sleeper = `static ssize_t\n${sleepsIn}(`;
  const shadow = await readFile(examplePatch(kernel, 'shadow-field'), 'latin1');
  await build('livegraft_calls', await readFile(examplePatch(kernel, 'callbacks'), 'latin1'));
  await build(
    'livegraft_refuse',
    sourcePatch(kernel, {
      'fs/proc/version.c': [version, `${all('version', 'return -ENOSPC;')}${version}`],
      'fs/proc/uptime.c': [uptime, `${all('uptime')}${uptime}`],
    }),
  );
  await build(
    'livegraft_picky',
    sourcePatch(kernel, {
      'net/core/pktgen.c': [
        'static int pgctrl_show(struct seq_file *seq, void *v)\n{\n',
        `${all('pktgen', 'static int times; return times++ == 0 ? -ENOSPC : 0;')}static int pgctrl_show(struct seq_file *seq, void *v)\n{\n\tseq_puts(seq, "picky: ");\n`,
      ],
    }),
  );
  await build(
    'livegraft_middle',
    sourcePatch(kernel, {
      'fs/pipe.c': [sleeper, `${all('pipe')}LIVEGRAFT_INCLUDE(${sleepsIn}, "tasks sleep in it");\n${sleeper}`],
    }),
  );
  await build('livegraft_shadow', shadow);
  const successor = await readFile(examplePatch(kernel, 'shadow-field', 'successor.patch'), 'latin1');
  await build('livegraft_shadow2', successor, '--replace');
  // with a function beside it in which somebody sleeps: its transition can be turned round
  const held = sourcePatch(kernel, {
    'fs/pipe.c': [sleeper, `#include <livegraft.h>\nLIVEGRAFT_INCLUDE(${sleepsIn}, "tasks sleep in it");\n${sleeper}`],
  });
  await build('livegraft_turned', `${successor}${held}`, '--replace');
  await build('livegraft_stateless', await readFile(examplePatch(kernel, 'proc-meminfo'), 'latin1'), '--replace');
  await writeFile(join(dir, 'pktgen.ko'), await readModule(kernel, 'pktgen'));
  await writeFile(join(dir, 'script.sh'), script);
  const guest = await livegraft(['vm', kernel.name, '--', 'sh', join(dir, 'script.sh')], { cwd: dir });
  said = readSaid(guest.stdout);
}, 1_200_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

const out = (label: string): string => said.get(label)?.out ?? `${label} is missing`;
const lines = (label: string): string[] => out(label).trimEnd().split('\n');
const exits = (...labels: string[]): (number | undefined)[] => labels.map((label) => said.get(label)?.exit);
const codes = (label: string): { exit: number | undefined; codes: string[] } => {
  const { diagnostics } = JSON.parse(out(label)) as { diagnostics: { code: string }[] };
  return { exit: said.get(label)?.exit, codes: diagnostics.map(({ code }) => code) };
};

test('callbacks of a module run when it comes and goes, those of vmlinux with the livepatch', () => {
  expect(exits('late-load', 'late-module', 'late-gone', 'late-again', 'late-revert')).toEqual([0, 0, 0, 0, 0]);
  expect(lines('late-calls')).toEqual(['version pre_patch', 'version post_patch']);
  expect(lines('late-module-calls')).toEqual(['pktgen pre_patch', 'pktgen post_patch']);
  expect(lines('late-gone-calls')).toEqual(['pktgen pre_unpatch', 'pktgen post_unpatch']);
  expect(lines('late-again-calls')).toEqual(['pktgen pre_patch', 'pktgen post_patch']);
  expect(lines('late-revert-calls')).toEqual([
    'version pre_unpatch',
    'pktgen pre_unpatch',
    'version post_unpatch',
    'pktgen post_unpatch',
  ]);
});

test('a pre_patch that fails: the ones before it are undone, the load fails, nothing is left', () => {
  expect(codes('refuse')).toEqual({ exit: 7, codes: ['kernel-refused'] });
  expect(out('refuse')).toMatch(/pre-patch callback/);
  expect(out('refuse')).toMatch(/No space left on device/);
  expect(lines('refuse-calls')).toEqual(['uptime pre_patch', 'version pre_patch', 'uptime post_unpatch']);
  expect(out('refuse-left')).toBe('');
});

test('a module that a pre_patch keeps out can come when it is asked again', () => {
  expect(exits('picky-load', 'picky-tries', 'picky-remove')).toEqual([0, 0, 0]);
  expect(lines('picky-calls')).toEqual(['pktgen pre_patch', 'pktgen pre_patch', 'pktgen post_patch']);
  expect(out('picky-works')).toMatch(/^picky: Packet Generator/);
});

test('taken back in mid-transition: post_unpatch alone', () => {
  expect(said.get('middle')).toEqual({ exit: 0, out: '1\n' });
  expect(lines('middle-calls')).toEqual(['pipe pre_patch', 'pipe post_unpatch']);
});

test(`a shadow variable, ${cycles} times in and out: nothing is left`, () => {
  expect(out('cycles')).toBe(`${cycles}\n`);
  const calls = lines('cycles-calls');
  const count = (pattern: RegExp): number => calls.filter((line) => pattern.test(line)).length;
  expect(count(/users have the field/)).toBe(cycles);
  expect(count(/^0 fields left/)).toBe(cycles);
  expect(count(/fields left/)).toBe(cycles);
  expect(count(/user 1000 seen 1 times/)).toBe(cycles);
  expect(out('cycles-left')).toBe('');
  const [before, after] = ['memory-before', 'memory-after'].map((label) => /(\d+) kB\n(\d+)/.exec(out(label))!);
  console.log(
    `MemAvailable ${before![1]} kB before, ${after![1]} kB after; modules in vmallocinfo ${before![2]}, ${after![2]}`,
  );
  expect(Number(before![2])).toBeGreaterThan(0);
  expect(after![2]).toBe(before![2]);
  // the guest's own log and page tables grow a little
  expect(Number(before![1]) - Number(after![1])).toBeLessThan(16 * 1024);
});

test('a successor takes the fields over with what is in them, and adds one; turned round, it leaves them to the one before', () => {
  expect(lines('state-one-calls')).toEqual(['user 1000 seen 2 times']);
  expect(said.get('turned')).toEqual({ exit: 0, out: '1\n' });
  // its post_patch was never reached, its post_unpatch freed nothing
  expect(lines('turned-calls')).toEqual(['user 1000 seen 3 times']);
  const [taken, first, second, ...more] = lines('state-two-calls');
  expect(taken).toMatch(/^\d+ fields taken over, \d+ now$/);
  const [before, now] = taken!.match(/\d+/g)!.map(Number);
  expect(before).toBeGreaterThan(1);
  expect(now).toBe(2 * before!);
  expect(first).toBe('user 1000 seen 4 times, the last at 0');
  expect(second).toMatch(/^user 1000 seen 5 times, the last at [1-9]/);
  expect(more).toEqual([]);
  expect(lines('state-end-calls')).toEqual(['0 fields left']);
});

test('states: a newer version goes over, an older or none is refused, and load says so before the kernel does', () => {
  expect(exits('state-one', 'state-two', 'state-remove')).toEqual([0, 0, 0]);
  expect(codes('state-preflight')).toMatchObject({ exit: 7, codes: expect.arrayContaining(['states-incompatible']) });
  expect(codes('state-unknown')).toMatchObject({ exit: 7, codes: expect.arrayContaining(['states-incompatible']) });
  expect(said.get('state-kernel')?.exit).not.toBe(0);
  expect(out('state-kernel-says')).toMatch(/livegraft_shadow.*not compatible/);
  expect(out('log')).toBe('');
});
