/** Who holds a transition back, in a guest where they do: a reader, a parent in vfork, a stopped task; and the reader brought through unnoticed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileProgram, livegraft, program } from '../testing/program.ts';
import { type Edits, sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import type { Blocker } from './blockers.ts';
import type { Waking } from './wake.ts';

/** It runs against the kernel's own signal after 15 s, which a busy machine loses: only where somebody says that this one is quiet. */
const quiet = process.env['LIVEGRAFT_QUIET_MACHINE'] !== undefined;
const timed = test.skipIf(!quiet);

const kernel = await testKernel();
const name = 'livegraft_sleepers';

/** Functions that tasks stay in: readers of a pipe, of a terminal, those who wait for events, parents in vfork, the stopped. */
const edits: Edits = {
  'fs/pipe.c': [
    '\tret = 0;\n\t__pipe_lock(pipe);\n',
    '\tpr_info_once("test: pipe_read\\n");\n\tret = 0;\n\t__pipe_lock(pipe);\n',
  ],
  'drivers/tty/n_tty.c': ['\tsize_t old_tail;\n', '\tsize_t old_tail;\n\n\tpr_info_once("test: n_tty_read\\n");\n'],
  'fs/eventpoll.c': [
    '\tlockdep_assert_irqs_enabled();\n\n\tif (timeout && (timeout->tv_sec',
    '\tlockdep_assert_irqs_enabled();\n\tpr_info_once("test: ep_poll\\n");\n\n\tif (timeout && (timeout->tv_sec',
  ],
  'kernel/fork.c': [
    '\tint trace = 0;\n\tpid_t nr;\n',
    '\tint trace = 0;\n\tpid_t nr;\n\n\tpr_info_once("test: kernel_clone\\n");\n',
  ],
  'kernel/signal.c': [
    '\tint signr;\n\n\tclear_notify_signal();\n',
    '\tint signr;\n\n\tpr_info_once("test: get_signal\\n");\n\tclear_notify_signal();\n',
  ],
};

/**
 * What sleeps says what its system call returned: perl's sysread and syscall() never repeat one. Numbers of x86-64: 291 epoll_create1,
 * 232 epoll_wait, 56 clone (0x4011: CLONE_VFORK, SIGCHLD), 34 pause.
 */
const script = `
lg() { "${process.execPath}" "${program}" "$@" 2>/tmp/err; }
run() { label=$1; shift; echo "### $label"; "$@"; echo "=== $?"; }
mkfifo /tmp/pipe
exec 4>&1 5<>/tmp/pipe >/tmp/all
perl -e '$0 = "reader"; $n = sysread(STDIN, $b, 64); print defined $n ? "got $b" : "error $!\\n"' </tmp/pipe >/tmp/reader &
reader=$!
perl -e '$0 = "typist"; open(my $m, "+<", "/dev/ptmx"); $n = pack("i", 0); ioctl($m, 0x40045431, $n); ioctl($m, 0x80045430, $n);
  open(my $s, "+<", "/dev/pts/" . unpack("i", $n)); if (fork) { $n = sysread($s, $b, 64); print defined $n ? "got $b" : "error $!\\n" } else { $0 = "keys"; sleep 1 until -e "/tmp/type"; syswrite($m, "typed\\n"); sleep 1000 }' >/tmp/typist &
typist=$!
perl -e '$0 = "waiter"; $| = 1; $e = syscall(291, 0); $b = "x" x 64; $n = syscall(232, $e, $b, 1, -1); print $n < 0 ? "error $!\\n" : "$n\\n"; sleep 1000' >/tmp/waiter &
waiter=$!
perl -e '$0 = "parent"; $n = syscall(56, 0x4011, 0, 0, 0, 0); if ($n == 0) { $0 = "child"; syscall(34) } sleep 1000' &
parent=$!
sleep 1000 &
stopped=$!
sleep 2
mkdir -p /sys/fs/cgroup
mount -t cgroup2 cgroup /sys/fs/cgroup
mkdir /sys/fs/cgroup/app
for pid in $reader $typist; do echo $pid >/sys/fs/cgroup/app/cgroup.procs; done
kill -STOP $stopped
sleep 1
echo "reader $reader typist $typist waiter $waiter parent $parent stopped $stopped"
insmod ${name}/${name}.ko
sleep 1.2
run wake lg wake --json
signals() { dmesg | grep -c 'signaling remaining'; }
run signalled signals
run dry-run lg wake --dry-run --json
run after lg blockers --json
run table lg blockers
run continue lg wake --task $stopped --method continue --json
pkill -KILL -P $parent
n=0; while [ "$(cat /sys/kernel/livepatch/${name}/transition)" = 1 ] && [ $n -lt 250 ]; do sleep 0.1; n=$((n + 1)); done
run done lg blockers --json
echo 0 >/sys/kernel/livepatch/${name}/enabled
sleep 1.2
run back lg blockers --json
# turned round and back again: the kernel counts its 15 s from the start
echo 1 >/sys/kernel/livepatch/${name}/enabled
n=0; while [ "$(cat /sys/kernel/livepatch/${name}/transition)" = 1 ] && [ $n -lt 250 ]; do sleep 0.1; n=$((n + 1)); done
echo 0 >/sys/kernel/livepatch/${name}/enabled
sleep 1.2
run signals-before signals
run wake-back lg wake --json --method freeze
run signals-after signals
echo hello >&5
touch /tmp/type
sleep 2
run reader cat /tmp/reader
run typist cat /tmp/typist
run waiter sed 1q /tmp/waiter
run log dmesg
cat /tmp/all >&4
`;

interface Document<T> {
  readonly ok: boolean;
  readonly exit: number;
  readonly result: T;
}
type Blockers = Document<{ readonly side: 0 | 1 | null; readonly blockers: readonly Blocker[] }>;
type Woken = Document<{ readonly tasks: readonly Waking[] }>;

let dir = '';
let all = '';
const part = (label: string): string => new RegExp(`### ${label}\\n([^]*?)=== (\\d+)\\n`).exec(all)?.[1] ?? '';
const json = (label: string): unknown => JSON.parse(part(label));

beforeAll(async () => {
  if (!quiet) return;
  dir = await mkdtemp(join(tmpdir(), 'livegraft-blockers-'));
  await compileProgram();
  const patch = join(dir, 'sleepers.patch');
  await writeFile(patch, sourcePatch(kernel, edits), 'latin1');
  const built = await livegraft(['build', patch, '--kernel', kernel.name, '-o', dir, '--name', name, '--quiet']);
  if (built.exit !== 0) throw new Error(built.stderr);
  await writeFile(join(dir, 'script.sh'), script);
  const ran = await livegraft(['vm', kernel.name, '--', 'sh', join(dir, 'script.sh')], { cwd: dir });
  all = `${ran.stdout}\n`;
  if (part('log') === '') throw new Error(`the script did not reach its end:\n${all}\n${ran.stderr}`);
});
afterAll(() => (dir === '' ? undefined : rm(dir, { recursive: true, force: true })));

const reasons = (label: string): Record<string, string> =>
  Object.fromEntries(
    (json(label) as Blockers).result.blockers.map(({ task, reason, where }) => [
      task?.comm,
      `${reason} ${where?.symbol}`,
    ]),
  );

const outcomes = (label: string): Record<string, string> =>
  Object.fromEntries((json(label) as Woken).result.tasks.map(({ task, outcome }) => [task.comm, outcome]));

timed('wake takes those that cannot notice, before the kernel signals them, and says why it leaves the others', () => {
  expect(part('signalled')).toBe('0\n');
  expect(outcomes('wake')).toMatchObject({
    reader: 'moved',
    typist: 'moved',
    waiter: 'left',
    parent: 'left',
    sleep: 'left',
  });
  const why = (json('wake') as Woken).result.tasks.find(({ task }) => task.comm === 'waiter')?.why;
  expect(why).toMatch(/^epoll_wait may show it: it returns EINTR/);
  expect(outcomes('dry-run')).toMatchObject({ parent: 'left', sleep: 'left' });
});

timed('a parent in vfork and a stopped task are named, with their function', () => {
  expect(reasons('after')).toMatchObject({ parent: 'vfork kernel_clone', sleep: 'stopped get_signal' });
  expect(reasons('after')).not.toHaveProperty('reader');
  const parent = (json('after') as Blockers).result.blockers.find(({ task }) => task?.comm === 'parent');
  expect(parent).toMatchObject({ kind: 'user', text: expect.stringMatching(/until its child child \(\d+\) ends/) });
  expect(part('table')).toMatch(/is being enabled since .*: \d of \d+ tasks left/);
  expect(outcomes('continue')).toEqual({ sleep: 'moved' });
});

timed('while it is taken back, sleepers in the new functions are named; freezing brings them through too', () => {
  expect(reasons('back')).toMatchObject({ reader: 'in-function pipe_read', typist: 'in-function n_tty_read' });
  for (const { where, frames, since, task } of (json('back') as Blockers).result.blockers) {
    expect(where?.module, task?.comm).toBe(name);
    expect(frames.length, task?.comm).toBeGreaterThan(2);
    expect(since, task?.comm).toBeGreaterThan(0);
  }
  expect(part('signals-after')).toBe(part('signals-before'));
  expect(outcomes('wake-back')).toMatchObject({ reader: 'moved', typist: 'moved' });
});

timed('woken twice, the reads return what was written, not EINTR', () => {
  expect([part('reader'), part('typist')]).toEqual(['got hello\n', 'got typed\n']);
});

timed('epoll_wait returns EINTR by the kernel’s own signal, which is why it is not woken unasked', () => {
  expect(part('waiter')).toBe('error Interrupted system call\n');
});

timed('without a transition there is nobody to name', () => {
  expect((json('done') as Blockers).result).toMatchObject({ side: null, blockers: [] });
});

timed('the kernel has nothing to complain about', () => {
  expect(part('log')).not.toMatch(/WARNING|BUG|Oops|Call Trace/);
});
