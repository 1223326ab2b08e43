/** /proc/TID/syscall of sleepers in a guest with 6.1.0-55-amd64. */
import { expect, test } from 'vitest';
import { parseSystemCall, restartsIn, sleepsIn } from './syscalls.ts';
import { type FakeHost, fakeHost } from './testing/fake-host.ts';

let host: FakeHost | undefined;

const rest = '0x7ffe409e25e8 0x7f4ae7a11929';
const calls: Record<string, string> = {
  read: `0 0x3 0x7ffe409e2690 0x40 0x7f4ae7916b60 0x7ffe409e2630 0x562c6f1c92a0 ${rest}`,
  poll: `7 0x7ffe409e2600 0x1 0xf4240 0x7f4ae79158d0 0x7ffe409e2630 0x562c6f1ca2b0 ${rest}`,
  epoll: `232 0x5 0x7ffe409e2600 0x1 0xffffffff 0x7ffe409e2630 0x562c6f1ca2b0 ${rest}`,
  recv: `45 0x5 0x7ffe409e2690 0x40 0x0 0x0 0x0 ${rest}`,
  waitAll: `45 0x5 0x7ffe409e2690 0x40 0x100 0x0 0x0 ${rest}`,
  restarted: '219 0x562c655d3e80 0x0 0x0 0x7ffe409e2680 0x0 0x0 0x7ffe409e25d8 0x7f4ae7a08829',
};

test('parseSystemCall: number and six arguments; nothing while it runs or is in no call', () => {
  expect(parseSystemCall(`${calls['waitAll']}\n`)).toEqual({
    number: 45,
    args: [0x5n, 0x7ffe409e2690n, 0x40n, 0x100n, 0n, 0n],
  });
  expect(parseSystemCall('running\n')).toBeUndefined();
  expect(parseSystemCall('-1 0x7ffe409e25e8 0x7f4ae7a11929\n')).toBeUndefined();
});

test('sleepsIn says what a call does when its sleep is cut short', () => {
  host = fakeHost({
    ...Object.fromEntries(Object.entries(calls).map(([, text], i) => [`proc/${i}/task/${i}/syscall`, `${text}\n`])),
  });
  const { roots } = host;
  const cutShort = Object.fromEntries(Object.keys(calls).map((name, i) => [name, sleepsIn(roots, i, i)?.cutShort]));
  expect(cutShort).toEqual({
    read: 'depends',
    poll: 'restarts',
    epoll: 'returns',
    recv: 'depends',
    waitAll: 'partial',
    restarted: 'restarts',
  });
  expect(sleepsIn(roots, 99, 99)).toBeUndefined();
});

test('a read is restarted where its file is known to do so', () => {
  const read = { name: 'read', cutShort: 'depends' } as const;
  expect(restartsIn(read, ['pipe_read', 'vfs_read'])).toBe(true);
  expect(restartsIn(read, ['wait_woken', 'n_tty_read', 'tty_read'])).toBe(true);
  expect(restartsIn(read, ['fuse_dev_do_read'])).toBe(false);
  expect(restartsIn({ name: 'recvfrom', cutShort: 'depends' }, ['pipe_read'])).toBe(false);
});
