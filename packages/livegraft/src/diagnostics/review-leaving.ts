/** What a review finds of functions that are hard to leave, and of those that are called very often. */
import { define, Exit } from './diagnostic.ts';

interface Where extends Record<string, unknown> {
  readonly unit: string;
  readonly name: string;
}
const place = ({ unit, name }: Where): string => `${unit}: ${name}`;
const functions = ({ name }: Where): readonly string[] => [name];

export const waitsLong = define<
  Where & {
    what: string;
    thread: boolean;
    ends: 'interruptible' | 'idle' | 'killable' | 'uninterruptible' | 'unknown';
    who?: string;
  }
>('waits-long', {
  severity: 'warning',
  exit: Exit.done,
  place,
  functions,
  message: ({ what, who, thread }) =>
    `${what}, for as long as others decide. Whoever sleeps there runs the old code until it comes out, and holds the transition up${who === undefined ? (thread ? ': a kernel thread' : '') : `: ${who}`}`,
  hint: ({ thread, ends }) => {
    if (thread)
      return 'the kernel only wakes kernel threads (after 15 s): one that goes back to sleep without leaving the function holds the transition up until what it waits for comes';
    if (ends === 'uninterruptible' || ends === 'killable' || ends === 'idle')
      return 'no signal but a deadly one ends this sleep: bring about what is waited for, or choose a time when nobody waits; `livegraft blockers` names the tasks';
    return 'after 15 s the kernel gets user tasks through by a signal that they do not see; `livegraft wake` does so at once. Kernel threads that sleep there stay';
  },
});

export const neverLeft = define<Where & { what: string }>('never-left', {
  severity: 'warning',
  exit: Exit.done,
  place,
  functions,
  message: ({ what }) =>
    `It ${what}. A thread that is in it never calls it again: it goes on in the old code, and the transition does not end before the thread does`,
  hint: 'put the change into a function that the loop calls each time round, one that the compiler does not inline (noinline), and leave the loop as it is; or end and start the thread again',
});

export const neverReturns = define<Where>('never-returns', {
  severity: 'warning',
  exit: Exit.done,
  place,
  functions,
  message: () =>
    'Tasks that end go through it, and may still be in it when they are on no list any more: neither the transition nor the unloading of a module waits for them',
  hint: 'revert and replace with livegraft, which leaves a module with such functions loaded until dying tasks are gone; do not rmmod it by hand',
});

export const mayWait = define<{ functions: readonly string[] }>('may-wait', {
  severity: 'note',
  exit: Exit.done,
  functions: ({ functions }) => functions,
  message: ({ functions }) =>
    `A call of these can come to wait for an event, further below or uninterruptibly: ${functions.join(', ')}. Tasks that do so hold the transition up`,
});

export const runsInInterrupt = define<{ functions: readonly string[] }>('runs-in-interrupt', {
  severity: 'note',
  exit: Exit.done,
  functions: ({ functions }) => functions,
  message: ({ functions }) =>
    `These run on top of whatever task is interrupted, and by that task’s side: ${functions.join(', ')}. Until all tasks have moved old and new code take turns on the same data, from one interrupt to the next`,
});

export const runsIdle = define<{ functions: readonly string[] }>('runs-idle', {
  severity: 'note',
  exit: Exit.done,
  functions: ({ functions }) => functions,
  message: ({ functions }) =>
    `These are called by the idle tasks: ${functions.join(', ')}. A processor moves over when it goes through its idle loop, which the kernel has it do once a second`,
});

export const calledOften = define<{ functions: readonly string[]; instructions: number }>('called-often', {
  severity: 'note',
  exit: Exit.done,
  functions: ({ functions }) => functions,
  message: ({ functions, instructions }) =>
    `These are called very often: ${functions.join(', ')}. Each call of a replaced function takes ${instructions} instructions more (docs/measurements.md)`,
});
