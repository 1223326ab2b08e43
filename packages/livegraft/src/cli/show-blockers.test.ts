import { expect, test } from 'vitest';
import type { Blocker } from '../host/blockers.ts';
import { blockersText } from './show-blockers.ts';
import type { Style } from './style.ts';
import { fold } from './text.ts';

const plain: Style = (_, text) => text;
const sleeper = (tid: number, comm: string, where = 'pipe_read'): Blocker => ({
  task: {
    ...{ pid: tid, tid, comm, state: 'S', patchState: 0, kernelThread: false, exiting: false },
    ...{ startTime: 1, cpuTime: 1, parent: 1 },
  },
  kind: 'user',
  reason: 'in-function',
  text: `sleeps in ${where}()`,
  frames: [{ symbol: where, offset: 0x3df, size: 0x470 }],
  since: 10,
  advice: ['wait: the kernel signals it in about 10 s', 'take it back: livegraft revert fix'],
});
const view = { patch: 'fix', target: 1, tasks: 1200, seconds: 5, uptime: 20 } as const;

test('one blocker', () => {
  expect(blockersText({ ...view, blockers: [sleeper(4711, 'cat')] }, plain, false)).toBe(`\
fix is being enabled since 5.0 s: 1 of 1200 tasks left
TASK  COMMAND  SINCE  WHY
4711  cat      10 s   sleeps in pipe_read()

What can be done, safest first:
  - wait: the kernel signals it in about 10 s
  - take it back: livegraft revert fix`);
});

test('a thousand are told by reason and command', () => {
  const many = Array.from({ length: 1000 }, (_, i) => sleeper(5000 + i, `worker/${i}`));
  const blockers = [...many, sleeper(7, 'sh', 'n_tty_read')];
  const text = blockersText({ ...view, blockers }, plain, false);
  expect(text.split('\n').slice(0, 4)).toEqual([
    'fix is being enabled since 5.0 s: 1001 of 1200 tasks left',
    'TASKS  WHY',
    '1000   sleep in pipe_read(): worker/N (5000, 5001, 5002, 5003 and 996 more)',
    '1      sleeps in n_tty_read(): sh (7)',
  ]);
  expect(text.split('\n').length).toBeLessThan(12);
  for (const line of text.split('\n').flatMap((each) => fold(each, 80).split('\n')))
    expect(line.length).toBeLessThanOrEqual(80);
});

test('many reasons are cut, and counted', () => {
  const blockers = Array.from({ length: 40 }, (_, i) => sleeper(i, 'sh', `f${i}`));
  const text = blockersText({ ...view, blockers }, plain, false);
  expect(text).toContain('and 28 tasks more, for 28 reasons: --verbose names all');
  expect(blockersText({ ...view, blockers }, plain, true).match(/f\d+\+0x3df/g)).toHaveLength(40);
});

test('a small screen holds it all, whatever it has to cut', () => {
  const blockers = Array.from({ length: 40 }, (_, i) => ({
    ...sleeper(i + 10, 'sh', `f${i}`),
    advice: [`wait for what number ${i} waits for, which may take a while and is told in words that fill a line`],
  }));
  for (const rows of [8, 10, 24])
    for (const columns of [40, 80, 200]) {
      const text = blockersText({ ...view, blockers }, plain, false, { rows, columns });
      const lines = text.split('\n').flatMap((each) => fold(each, columns).split('\n'));
      expect(lines.length, `${rows} ${columns}`).toBeLessThan(rows);
      expect(text).toContain('40 of 1200 tasks left');
      expect(text).toContain('more, for');
    }
});

test('what wake brings through is one line; what concerns one task names it', () => {
  const wake = (call: string): string =>
    `wake it now: livegraft wake (${call} is restarted by the kernel: the program does not notice)`;
  const stopped: Blocker = {
    ...sleeper(9, 'sleep'),
    reason: 'stopped',
    text: 'is stopped',
    advice: ['continue it: kill -CONT 9'],
  };
  const blockers = [
    { ...sleeper(5, 'a'), advice: [wake('read')] },
    { ...sleeper(6, 'b'), advice: [wake('poll')] },
    { ...sleeper(7, 'c'), advice: ['wake it: livegraft wake --task 7, but epoll_wait may show it: it returns EINTR'] },
    stopped,
  ];
  expect(
    blockersText({ ...view, blockers }, plain, false)
      .split('\n')
      .slice(-3),
  ).toEqual([
    '  - wake 2 tasks now: livegraft wake (read, poll: restarted by the kernel, the program does not notice)',
    '  - wake c (7): livegraft wake --task 7, but epoll_wait may show it: it returns EINTR',
    '  - sleep (9): continue it: kill -CONT 9',
  ]);
});

test('a command’s name may hold anything, and a terminal gets none of it', () => {
  const text = blockersText({ ...view, blockers: [sleeper(5, 'a\x1b[31m\nb')] }, plain, false);
  expect(text).toContain('a?[31m?b');
});
