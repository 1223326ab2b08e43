/** Who would hold a transition back if it began now, judged from files as a guest with 6.1.0-55-amd64 wrote them. */
import { expect, test } from 'vitest';
import { foreseeBlockers } from './foresee.ts';
import { type Livepatch, readLivepatches } from './livepatch.ts';
import { type FakeFiles, type FakeHost, fakeHost, livepatchFiles, taskFiles } from './testing/fake-host.ts';

let host: FakeHost;

const reader = '[<0>] pipe_read+0x3df/0x470\n[<0>] vfs_read+0x2de/0x310\n';
const writer = '[<0>] pipe_write+0x4c9/0x6e0\n[<0>] vfs_write+0x2de/0x310\n';

const patch = (changes: Partial<Livepatch> = {}): Livepatch => ({
  ...{ name: 'livegraft_fix', state: 'active', enabled: true, inTransition: false, replace: false },
  objects: [{ name: 'vmlinux', functions: [{ name: 'pipe_read', position: 1 }] }],
  ...changes,
});

async function foreseen(files: FakeFiles, changes: Partial<Livepatch> = {}) {
  host = fakeHost(files);
  const others = readLivepatches(host.roots);
  const { tasks, blockers } = await foreseeBlockers(host.roots, patch(changes), others);
  return {
    tasks,
    blockers: blockers.map(({ task, reason, text }) => `${task?.tid} ${reason}: ${text}`),
    all: blockers,
  };
}

/** A task that sleeps uninterruptibly, or a kernel thread. */
const changed = (files: FakeFiles, from: string, to: string): FakeFiles =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [path, String(text).replace(from, to)]));

test('each by the way in which it will move; nobody else', async () => {
  const { tasks, blockers, all } = await foreseen({
    ...taskFiles(10, 'cat', -1, reader),
    ...changed(taskFiles(11, 'dd', -1, reader), ') S ', ') D '),
    ...changed(taskFiles(12, 'kreader', -1, reader), ' 4194304 ', ' 2097152 '),
    ...taskFiles(13, 'yes', -1, writer),
    ...taskFiles(14, 'busy', -1),
    ...taskFiles(process.pid, 'livegraft', -1, reader),
  });
  expect(tasks).toBe(5);
  expect(blockers).toEqual([
    '10 in-function: sleeps in pipe_read()',
    '11 uninterruptible: sleeps uninterruptibly in pipe_read()',
    '12 in-function: sleeps in pipe_read()',
  ]);
  expect(all.map(({ kind, advice }) => [kind, advice[0]])).toEqual([
    ['user', 'wait: the kernel signals it about 15 s after the transition began'],
    ['user', 'wait: no signal ends this sleep, only what it waits for (a disk, a lock, a network file system)'],
    ['kernel-thread', expect.stringMatching(/^wait: the kernel wakes kernel threads .* after about 15 s/)],
  ]);
  // there is nothing yet that could be taken back
  expect(all.flatMap(({ advice }) => advice).join()).not.toContain('revert');
});

test('a task below code that the kernel does not trust is in the way of every livepatch', async () => {
  const { blockers } = await foreseen(
    taskFiles(10, 'yes', -1, '[<0>] pipe_write+0x4c9/0x6e0\n[<0>] bpf_trampoline_6442532892+0x46/0x1000\n'),
  );
  expect(blockers).toEqual([expect.stringMatching(/^10 unreliable-stack: sleeps below a BPF trampoline/)]);
});

test('a function that a livepatch replaces already: its version is waited for; with atomic replace, so are those that go', async () => {
  const loaded = {
    ...livepatchFiles('other', ['vmlinux/pipe_read,1', 'vmlinux/pipe_write,1']),
    ...taskFiles(10, 'cat', -1, '[<0>] pipe_read+0x3df/0x470 [other]\n'),
    ...taskFiles(11, 'yes', -1, '[<0>] pipe_write+0x4c9/0x6e0 [other]\n'),
  };
  expect((await foreseen(loaded)).blockers).toEqual(['10 in-function: sleeps in pipe_read() [other]']);
  expect((await foreseen(loaded, { replace: true })).blockers).toEqual([
    '10 in-function: sleeps in pipe_read() [other]',
    '11 in-function: sleeps in pipe_write() [other]',
  ]);
});
