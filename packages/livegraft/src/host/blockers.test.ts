/** Who holds back, judged from files as a guest with 6.1.0-55-amd64 wrote them. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Blocker, explainBlockers } from './blockers.ts';
import { type FakeFiles, type FakeHost, fakeHost, livepatchFiles } from './testing/fake-host.ts';

let host: FakeHost;

const entry = '[<0>] do_syscall_64+0x5d/0xb0\n[<0>] entry_SYSCALL_64_after_hwframe+0x6e/0xd8\n';
const stacks = {
  reader: `[<0>] pipe_read+0x3df/0x470\n[<0>] vfs_read+0x2de/0x310\n[<0>] ksys_read+0xb7/0xf0\n${entry}`,
  stopped: `[<0>] do_signal_stop+0x17d/0x1f0\n[<0>] get_signal+0x24d/0x990\n[<0>] arch_do_signal_or_restart+0x3e/0x830\n[<0>] exit_to_user_mode_prepare+0x1b2/0x240\n${entry}`,
  parent: `[<0>] kernel_clone+0x2bb/0x430\n[<0>] __do_sys_vfork+0x44/0x70\n${entry}`,
  traced: `[<0>] pipe_write+0x4c9/0x6e0\n[<0>] vfs_write+0x2de/0x310\n[<0>] bpf_trampoline_6442532892+0x46/0x1000\n[<0>] vfs_write+0x5/0x310\n${entry}`,
  patched: `[<0>] pipe_read+0x3ec/0x480 [livegraft_zoo]\n[<0>] vfs_read+0x2de/0x310\n${entry}`,
  poller: `[<0>] do_sys_poll+0x535/0x610\n[<0>] __x64_sys_poll+0xb7/0x140\n${entry}`,
};

interface Fake {
  readonly state?: string;
  readonly side?: 0 | 1;
  readonly stack?: string;
  readonly flags?: number;
  readonly syscall?: string;
  readonly children?: string;
  readonly status?: string;
}

function task(pid: number, comm: string, fake: Fake = {}): FakeFiles {
  const { state = 'S', side = 0, stack = '', flags = 4194304 } = fake;
  const folder = `proc/${pid}/task/${pid}`;
  const rest = '86 0 0 0 5 5 0 0 20 0 1 0 797 2887680 236 18446744073709551615 1 1 0 0 0 0 0 0 0 1 0 0 17 1 0 0 0 0 0';
  return {
    [`${folder}/stat`]: `${pid} (${comm}) ${state} 1 ${pid} ${pid} 0 -1 ${flags} ${rest}\n`,
    [`${folder}/patch_state`]: `${side}\n`,
    [`${folder}/stack`]: stack,
    [`${folder}/sched`]: 'se.exec_start                                :          9844.257153\n',
    ...(fake.syscall === undefined ? {} : { [`${folder}/syscall`]: `${fake.syscall}\n` }),
    ...(fake.children === undefined ? {} : { [`${folder}/children`]: fake.children }),
    ...(fake.status === undefined ? {} : { [`${folder}/status`]: fake.status }),
  };
}

const functions = ['vmlinux/pipe_read,1', 'vmlinux/get_signal,1', 'vmlinux/kernel_clone,1'];
const enabling = livepatchFiles('livegraft_zoo', functions, { transition: 1 });
const disabling = livepatchFiles('livegraft_zoo', functions, { enabled: 0, transition: 1 });
const kmsg = (seconds: number): string =>
  `5,302,${seconds * 1e6},-;livepatch: 'livegraft_zoo': starting patching transition\n`;

async function explain(files: FakeFiles, target: 0 | 1 = 1): Promise<Blocker[]> {
  host = fakeHost({
    ...(target === 1 ? enabling : disabling),
    'proc/uptime': '34.80 11.44\n',
    'proc/kmsg': kmsg(30),
    ...files,
  });
  return explainBlockers({
    roots: host.roots,
    patch: 'livegraft_zoo',
    target,
    watch: 20,
    log: join(host.roots.proc, 'kmsg'),
  });
}

test('a reader asleep in a patched function, and what the kernel and livegraft can do', async () => {
  const [blocker, ...more] = await explain({
    ...task(134, 'cat', { stack: stacks.reader, syscall: '0 0x3 0x7ff 0x40 0x0 0x0 0x0 0x7ff 0x7f4' }),
    ...task(1, 'init', { side: 1, stack: stacks.reader }),
  });
  expect(more).toEqual([]);
  expect(blocker).toMatchObject({
    task: { tid: 134 },
    kind: 'user',
    reason: 'in-function',
    text: 'sleeps in pipe_read()',
    where: { symbol: 'pipe_read', offset: 0x3df },
    since: 9.844,
  });
  expect(blocker!.advice).toEqual([
    'wait: the kernel signals it in about 10 s',
    'wake it now: livegraft wake (read is restarted by the kernel: the program does not notice)',
    'take it back: livegraft revert livegraft_zoo',
  ]);
});

test('stopped, traced, a parent in vfork, one that ended, a kernel thread', async () => {
  const found = await explain({
    ...task(131, 'sleep', { state: 'T', stack: stacks.stopped }),
    ...task(132, 'held', { state: 't', stack: stacks.stopped, status: 'Name:\theld\nTracerPid:\t140\n' }),
    ...task(140, 'gdb', { side: 1 }),
    ...task(130, 'vforker', { state: 'D', stack: stacks.parent, children: '133 ' }),
    ...task(133, 'child', { side: 1 }),
    ...task(150, 'gone', { state: 'Z', flags: 4194308 }),
    ...task(30, 'kworker/0:1', { stack: stacks.reader, flags: 2129984 }),
    ...task(160, 'nfsd', { state: 'D', stack: stacks.reader }),
    ...task(170, 'bash', { stack: stacks.poller }),
  });
  const told = Object.fromEntries(found.map(({ task: who, reason, text }) => [who!.comm, `${reason}: ${text}`]));
  expect(told).toEqual({
    sleep: 'stopped: is stopped in get_signal()',
    held: 'traced: is held by a debugger of gdb (140) in get_signal()',
    vforker: 'vfork: waits in kernel_clone() until its child child (133) ends or runs a program (vfork)',
    gone: 'exiting: has ended, and its parent 1 has not asked how',
    'kworker/0:1': 'in-function: sleeps in pipe_read()',
    nfsd: 'uninterruptible: sleeps uninterruptibly in pipe_read()',
    bash: 'next-look: sleeps outside of all functions of the patch, and moves when the kernel looks next, once a second',
  });
  expect(found.find(({ task: who }) => who?.tid === 30)?.kind).toBe('kernel-thread');
});

test('a BPF trampoline on the stack, with its program and its owner', async () => {
  host = fakeHost();
  const link =
    'pos:\t0\nlink_type:\ttracing\nlink_id:\t1\nprog_tag:\ta04f5eef06a7f555\nprog_id:\t7\nattach_type:\t25\n';
  const files: FakeFiles = {
    ...task(142, 'writer', { stack: stacks.traced }),
    ...task(126, 'edr', { side: 1 }),
    'proc/126/comm': 'edr\n',
    'proc/126/fdinfo/5': link,
    'proc/126/fd/': '',
    'proc/kallsyms': 'ffffffffc0241660 t bpf_prog_a04f5eef06a7f555_watch_reads\t[bpf]\n',
    ...enabling,
    'proc/uptime': '34.80 11.44\n',
  };
  host.write(files);
  mkdirSync(join(host.roots.proc, '126/fd'), { recursive: true });
  symlinkSync('anon_inode:bpf_link', join(host.roots.proc, '126/fd/5'));
  const request = { roots: host.roots, patch: 'livegraft_zoo', target: 1, log: '/nonexistent' } as const;
  const [blocker] = await explainBlockers(request);
  expect(blocker).toMatchObject({
    reason: 'unreliable-stack',
    text: 'sleeps below a BPF trampoline around vfs_write() (bpf_trampoline_6442532892): program 7 "watch_reads" of edr (126); the kernel does not trust such a stack',
  });
  // newer kernels say what a link is attached to: 6442532892 is object 1, type 81948
  host.write({ 'proc/126/fdinfo/5': `${link}target_obj_id:\t1\ntarget_btf_id:\t81949\n` });
  expect((await explainBlockers(request))[0]!.text).not.toMatch(/edr/);
  host.write({ 'proc/126/fdinfo/5': `${link}target_obj_id:\t1\ntarget_btf_id:\t81948\n` });
  expect((await explainBlockers(request))[0]!.text).toMatch(/edr/);
});

test('a task on its CPU in every look', async () => {
  const [blocker] = await explain(task(200, 'spin', { state: 'R' }));
  expect(blocker).toMatchObject({ reason: 'running', since: 30, text: 'wants to run on CPU 1 and gets no time there' });
});

test('while it is taken back, only the new functions hold', async () => {
  const found = await explain(
    {
      ...task(134, 'old', { side: 1, stack: stacks.reader }),
      ...task(135, 'new', { side: 1, stack: stacks.patched }),
      ...task(136, 'moved', { side: 0, stack: stacks.patched }),
    },
    0,
  );
  expect(found.map(({ task: who, reason }) => [who?.comm, reason])).toEqual([
    ['old', 'next-look'],
    ['new', 'in-function'],
  ]);
  expect(found.flatMap(({ advice }) => advice).filter((each) => each.includes('revert'))).toEqual([]);
});

test('functions of one name are told apart by their size', async () => {
  const kallsyms = (second: string): string =>
    `ffffffff81000000 t pipe_read\nffffffff81000470 t a\nffffffff81001000 t pipe_read\nffffffff8100${second} t b\n`;
  const reader = task(134, 'cat', { stack: stacks.reader });
  expect((await explain({ ...reader, 'proc/kallsyms': kallsyms('1300') }))[0]?.text).toBe('sleeps in pipe_read()');
  expect((await explain({ ...reader, 'proc/kallsyms': kallsyms('1470') }))[0]?.text).toBe(
    'sleeps in pipe_read(), or in another function of that name and size',
  );
  const other = stacks.reader.replace('0x470', '0x300');
  const found = await explain({ ...task(134, 'cat', { stack: other }), 'proc/kallsyms': kallsyms('1300') });
  expect(found[0]?.reason).toBe('next-look');
});

test('nobody is left in /proc: idle CPUs; no transition: nobody', async () => {
  expect(await explain(task(1, 'init', { side: 1 }))).toMatchObject([{ kind: 'idle', reason: 'idle' }]);
  host.write({ 'sys/kernel/livepatch/livegraft_zoo/transition': '0\n' });
  const request = { roots: host.roots, patch: 'livegraft_zoo', target: 1 } as const;
  expect(await explainBlockers(request)).toEqual([]);
  expect(await explainBlockers({ ...request, patch: 'other' })).toEqual([]);
});
