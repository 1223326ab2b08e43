import { expect, test } from 'vitest';
import { functionOccupied, functionTraced } from '../diagnostics/host.ts';
import type { Blocker } from '../host/blockers.ts';
import type { Task } from '../host/tasks.ts';
import type { Running } from '../live/running.ts';
import { showRunning } from './show-running.ts';

const reader: Blocker = {
  task: { pid: 141, tid: 141, comm: 'cat' } as Task,
  ...{ kind: 'user', reason: 'in-function', text: 'sleeps in pipe_read()', frames: [], since: 10 },
  advice: ['wait: the kernel signals it about 15 s after the transition began'],
};

function text(running: Partial<Running>, columns = 100): string {
  const lines: string[] = [];
  const all: Running = { release: '6.1.0-55-amd64', tasks: 61, uptime: 40, findings: [], blockers: [], ...running };
  const print = (line: string): number => lines.push(line);
  showRunning(all, { print, style: (_format, plain) => plain, verbose: false, columns });
  return lines.join('\n');
}

const where = { name: 'pipe_read', object: 'vmlinux' };

test('showRunning: what stands in the way, then each task, once', () => {
  const findings = [
    functionOccupied({ ...where, tasks: ['cat (141)'], count: 1 }),
    functionTraced({ ...where, by: 'function_trace_call' }),
  ];
  expect(text({ findings, blockers: [reader] })).toBe(`
The kernel that runs here, 6.1.0-55-amd64

note[function-traced] pipe_read
  It is traced (function_trace_call): the tracer goes on seeing calls, whichever version runs

1 of 61 tasks would hold a transition back now
TASK  COMMAND  SINCE  WHY
141   cat      30 s   sleeps in pipe_read()

What can be done, safest first:
  - wait: the kernel signals it about 15 s after the transition began

Seen in one look; who runs at that moment shows no stack. How often the functions are called is not
measured: that would take tracing`);
});

test('showRunning: nobody, and no line wider than the terminal', () => {
  const shown = text({}, 40);
  expect(shown).toContain('\nNone of 61 tasks would hold a transition\nback now\n');
  for (const line of shown.split('\n')) expect(line.length).toBeLessThanOrEqual(40);
});
