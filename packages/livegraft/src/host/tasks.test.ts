import { expect, test } from 'vitest';
import { parseStat, readTasks } from './tasks.ts';
import { type FakeHost, fakeHost, taskFiles } from './testing/fake-host.ts';

let host: FakeHost | undefined;

// /proc/2/stat of a guest with 6.1.0-55-amd64
const kthreadd =
  '2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 13 0 0 20 0 1 0 0 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 0 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n';

test('parseStat reads a kernel thread', () => {
  expect(parseStat(kthreadd, 2, -1)).toEqual({
    pid: 2,
    tid: 2,
    comm: 'kthreadd',
    state: 'S',
    patchState: -1,
    kernelThread: true,
    exiting: false,
    cpu: 1,
    startTime: 0,
    cpuTime: 13,
    parent: 0,
  });
});

test('parseStat: a command name with brackets, blanks, newlines and bytes above 127', () => {
  const stat = kthreadd.replace('kthreadd', 'a) R (b\n\xc3\xa9');
  expect(parseStat(stat, 2, 0)).toMatchObject({ comm: 'a) R (b\né', state: 'S', parent: 0 });
  expect(parseStat('', 2, 0)).toBeUndefined();
});

test('readTasks finds every thread, and passes over what went away', async () => {
  host = fakeHost({ ...taskFiles(207, 'cat', 0), ...taskFiles(1, 'init', 1), 'proc/300/task/300/': '', 'proc/9/': '' });
  const tasks = await readTasks(host.roots);
  expect(tasks.map(({ tid, comm, patchState }) => [tid, comm, patchState])).toEqual([
    [1, 'init', 1],
    [207, 'cat', 0],
  ]);
});

test('a thousand threads', async () => {
  const files = Array.from({ length: 1000 }, (_, i) => taskFiles(1000 + i, `worker/${i}`, i % 2 === 0 ? 0 : 1));
  host = fakeHost(Object.assign({}, ...files));
  expect((await readTasks(host.roots)).filter(({ patchState }) => patchState === 0)).toHaveLength(500);
});
