/** livegraft wake: sleepers through a transition, without the application noticing. */
import { buildCommand } from '@stricli/core';
import { noSuchBlocker } from '../../diagnostics/blockers.ts';
import { Exit, LivegraftError } from '../../diagnostics/diagnostic.ts';
import type { Waking } from '../../host/wake.ts';
import type { WakeMethod } from '../../host/wake-ways.ts';
import { plural } from '../../support/plural.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { requireRoot } from '../host.ts';
import type { Style } from '../style.ts';
import { table } from '../text.ts';

interface Flags extends CommonFlags {
  readonly task?: number[];
  readonly method?: WakeMethod;
  readonly dryRun?: boolean;
}

export const wake = buildCommand<Flags, string[], Context>({
  docs: {
    brief: 'Bring sleepers through the transition, unnoticed',
    fullDescription:
      'Cuts the sleep of tasks short that sleep in a function of the livepatch, one by one; the kernel restarts their system call, and they sleep again, in the new function. Without --task only those are woken that cannot notice: system calls that would return EINTR (epoll_wait, semop, a socket with a timeout) are left to the kernel’s own signal, which comes after 15 s and which they notice in the same way.\nWays: ptrace (usual: seize, interrupt, let go; needs perl), freeze (usual without perl: a cgroup v2 of its own, frozen for a moment), continue (SIGCONT, for stopped tasks named by --task).\nExit code 6: some are still left that were to be woken.\n\nExample: livegraft wake --dry-run\n         livegraft wake --task 4711',
  },
  parameters: {
    flags: {
      ...commonFlags,
      task: {
        kind: 'parsed',
        parse: taskNumber,
        optional: true,
        variadic: true,
        brief: 'Wake this task, even if it may notice',
        placeholder: 'TID',
      },
      method: {
        kind: 'enum',
        values: ['ptrace', 'freeze', 'continue'],
        optional: true,
        brief: 'How',
      },
      dryRun: { kind: 'boolean', optional: true, withNegated: false, brief: 'Only say who would be woken' },
    },
    positional: {
      kind: 'array',
      maximum: 1,
      parameter: { brief: 'Only for this one', parse: String, placeholder: 'NAME|BUNDLE' },
    },
  },
  async func({ task: chosen, method: wanted, dryRun = false, ...flags }, word) {
    await perform(this, 'wake', flags, async ({ print, style, progress, signal }) => {
      requireRoot('wake');
      const [{ findHeld }, { wakeTasks }, { thawLeftovers, usualMethod }, { hostRoots: roots }] = await Promise.all([
        import('../held.ts'),
        import('../../host/wake.ts'),
        import('../../host/wake-ways.ts'),
        import('../../host/roots.ts'),
      ]);
      const method = wanted ?? usualMethod();
      if (!dryRun) {
        for (const cell of thawLeftovers(roots)) progress.say(`Thawed what an earlier livegraft left frozen: ${cell}`);
      }
      const state = await findHeld(word, signal);
      if (state.side === null) {
        print(state.words);
        return { result: { name: state.name, method, tasks: [] } };
      }
      const { name, side, found } = state;
      // one that has just moved is no reason to leave the others asleep
      const held = chosen?.some((tid) => found.some((blocker) => blocker.task?.tid === tid)) ?? true;
      if (!held) throw new LivegraftError(noSuchBlocker({ tid: chosen![0]!, name }));
      const tasks = await wakeTasks({
        roots,
        target: side,
        blockers: found,
        method,
        dryRun,
        signal,
        ...(chosen === undefined ? {} : { chosen }),
      });
      print(wakingText(tasks, name, style));
      const remain = tasks.some(({ outcome }) => outcome === 'stayed' || outcome === 'failed');
      return { result: { name, method, dryRun, tasks }, exit: remain ? Exit.stalled : Exit.done };
    });
  },
});

function wakingText(tasks: readonly Waking[], name: string, style: Style): string {
  const count = (outcome: Waking['outcome']): number => tasks.filter((each) => each.outcome === outcome).length;
  const words: Record<Waking['outcome'], string> = {
    would: 'would be woken',
    moved: 'woken and moved',
    stayed: 'woken, and not moved',
    failed: 'could not be woken',
    gone: 'moved before',
    left: 'left alone',
  };
  const told = (Object.keys(words) as Waking['outcome'][]).filter((outcome) => count(outcome) > 0);
  const summary = told.map((outcome) => `${plural(count(outcome), 'task')} ${words[outcome]}`).join(', ');
  const rows = groups(tasks).map(({ first, tids }) => [
    tids.length > few ? `${tids.slice(0, few).join(', ')} and ${tids.length - few} more` : tids.join(', '),
    first.task.comm,
    first.outcome,
    first.why,
  ]);
  if (rows.length === 0) return `${name}: nobody sleeps in its functions`;
  return [`${style('bold', name)}: ${summary}`, table([['TASK', 'COMMAND', 'OUTCOME', 'WHY'], ...rows])].join('\n');
}

const few = 3;

function groups(tasks: readonly Waking[]): { first: Waking; tids: number[] }[] {
  const found = new Map<string, { first: Waking; tids: number[] }>();
  for (const each of tasks) {
    const key = [each.task.comm, each.outcome, each.why.replace(/--task \d+/, '')].join('\0');
    const group = found.get(key) ?? { first: each, tids: [] };
    group.tids.push(each.task.tid);
    found.set(key, group);
  }
  return [...found.values()];
}

function taskNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new SyntaxError(`a task’s number was expected, not ${JSON.stringify(text)}`);
  return value;
}
