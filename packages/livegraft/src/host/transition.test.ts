import { expect, test } from 'vitest';
import { type FakeHost, fakeHost, livepatchFiles, taskFiles } from './testing/fake-host.ts';
import { followTransition } from './transition.ts';

let host: FakeHost;

const enabling = livepatchFiles('fix', ['vmlinux/pipe_read,1'], { transition: 1 });

test('followTransition counts who is left, and ends when the kernel says so', async () => {
  host = fakeHost({ ...enabling, ...taskFiles(1, 'init', 1), ...taskFiles(207, 'cat (x) y', 0) });
  const seen: string[] = [];
  const followed = await followTransition({
    roots: host.roots,
    name: 'fix',
    side: 1,
    onSample: ({ tasks, left }, who) => {
      seen.push(`${left} of ${tasks}: ${who.map(({ comm }) => comm).join()}`);
      if (seen.length === 1) host.write(taskFiles(207, 'cat (x) y', 1));
      else host.write({ 'sys/kernel/livepatch/fix/transition': '0\n' });
    },
  });
  expect(seen).toEqual(['1 of 2: cat (x) y', '0 of 2: ']);
  expect(followed).toMatchObject({ end: 'done', side: 1, samples: [{ left: 1 }, { left: 0 }] });
});

test('followTransition: taken back elsewhere, gone, time up, stopped', async () => {
  host = fakeHost({ ...enabling, ...taskFiles(207, 'cat', 0) });
  const request = { roots: host.roots, name: 'fix', side: 1 } as const;
  expect(await followTransition({ ...request, timeout: 0 })).toMatchObject({ end: 'timeout', samples: [] });
  expect(await followTransition({ ...request, signal: AbortSignal.abort() })).toMatchObject({ end: 'stopped' });
  host.write({ 'sys/kernel/livepatch/fix/enabled': '0\n' });
  expect(await followTransition(request)).toMatchObject({ end: 'turned' });
  host.remove('sys/kernel/livepatch/fix');
  expect(await followTransition(request)).toMatchObject({ end: 'gone' });
  expect(await followTransition({ ...request, side: 0 })).toMatchObject({ end: 'done' });
});

test('followTransition ends at once when it is stopped between two looks', async () => {
  host = fakeHost({ ...enabling, ...taskFiles(207, 'cat', 0) });
  const stop = new AbortController();
  const onSample = () => stop.abort();
  const followed = await followTransition({
    roots: host.roots,
    name: 'fix',
    side: 1,
    signal: stop.signal,
    onSample,
  });
  expect(followed).toMatchObject({ end: 'stopped', samples: [{ left: 1 }] });
});
