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

test('a thousand are told by command and reason, on a small screen', () => {
  const many = Array.from({ length: 1000 }, (_, i) => sleeper(5000 + i, `worker/${i}`));
  const blockers = [...many, sleeper(7, 'sh', 'n_tty_read')];
  const text = blockersText({ ...view, blockers }, plain, false);
  expect(text.split('\n').slice(0, 4)).toEqual([
    'fix is being enabled since 5.0 s: 1001 of 1200 tasks left',
    'TASKS  COMMAND   WHY',
    '1000   worker/N  sleeps in pipe_read(): 5000, 5001, 5002, 5003 and 996 more',
    '1      sh        sleeps in n_tty_read(): 7',
  ]);
  expect(text.split('\n').length).toBeLessThan(12);
  for (const line of text.split('\n').flatMap((each) => fold(each, 80).split('\n')))
    expect(line.length).toBeLessThanOrEqual(80);
});

test('many kinds are cut, and counted', () => {
  const blockers = Array.from({ length: 40 }, (_, i) =>
    sleeper(i, `${String.fromCharCode(97 + (i % 26))}${'x'.repeat(i)}`),
  );
  const text = blockersText({ ...view, blockers }, plain, false);
  expect(text).toContain('and 28 tasks in 28 groups more: --verbose names all');
  expect(blockersText({ ...view, blockers }, plain, true).match(/pipe_read\+0x3df/g)).toHaveLength(40);
});
