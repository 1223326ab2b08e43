/** What keeps livegraft from telling who holds a transition back, and from waking them. */
import { define, Exit } from './diagnostic.ts';

export const tasksUnreadable = define<{ path: string }>('tasks-unreadable', {
  exit: Exit.failed,
  place: ({ path }) => path,
  message: () => 'Cannot be read: only root may see which side of a transition a task is on',
  hint: 'run it with sudo',
});

export const noSuchBlocker = define<{ tid: number; name: string }>('no-such-blocker', {
  exit: Exit.usage,
  place: ({ tid }) => `task ${tid}`,
  message: ({ name }) => `It does not hold back the transition of ${name}, or there is no such task`,
  hint: 'livegraft blockers names those who do',
});
