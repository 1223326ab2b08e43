/** A transition as it is told: followed, and those who hold it back named with their reason once it lasts. */
import { type Blocker, explainBlockers } from '../host/blockers.ts';
import type { HostRoots } from '../host/roots.ts';
import type { Task } from '../host/tasks.ts';
import { followTransition, type Transition, type TransitionSample } from '../host/transition.ts';
import type { Progress } from '../support/progress.ts';

export interface FollowOptions {
  readonly roots: HostRoots;
  readonly progress: Progress;
  /** Seconds. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  readonly onSample?: (sample: TransitionSample, blockers: readonly Blocker[]) => void;
}

export interface Story extends Transition {
  readonly name: string;
  /** Who was left when it was last looked at, if it is not done. */
  readonly blockers: readonly Blocker[];
  /** Tasks there were. */
  readonly tasks: number;
}

/** From this second on those who are left are asked why, and again after so many seconds: it takes time. */
const askAfter = 3;
const askEvery = 5;

export interface FollowRequest extends FollowOptions {
  readonly name: string;
  /** 1: being enabled; 0: being taken back. */
  readonly side: 0 | 1;
  /** When it was begun, on the clock of `performance.now()`. */
  readonly began?: number;
}

export async function follow(request: FollowRequest): Promise<Story> {
  const { roots, progress, name, side, onSample } = request;
  const title = side === 1 ? `Move tasks over to ${name}` : `Move tasks back from ${name}`;
  return progress.step(title, async (inner) => {
    let blockers: readonly Blocker[] = [];
    let asked = askAfter - askEvery;
    const explain = (tasks?: readonly Task[]): Promise<Blocker[]> =>
      explainBlockers({ roots, patch: name, target: side, ...(tasks === undefined ? {} : { tasks }) });
    const transition = await followTransition({
      roots,
      name,
      side,
      ...(request.began === undefined ? {} : { began: request.began }),
      ...(request.timeout === undefined ? {} : { timeout: request.timeout }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
      onSample: async (sample, left) => {
        if (sample.at >= asked + askEvery) {
          asked = sample.at;
          blockers = await explain(left);
        }
        const still = new Set(left.map(({ tid }) => tid));
        const now = blockers.filter(({ task }) => task === undefined || still.has(task.tid));
        inner.detail(sampleWords(sample, now));
        inner.sample?.({ transition: name, side, ...sample, blockers: now.slice(0, few) });
        onSample?.(sample, now);
      },
    });
    const over = transition.end === 'done' || transition.end === 'gone';
    return {
      ...transition,
      name,
      blockers: over ? [] : await explain(),
      tasks: transition.samples.at(-1)?.tasks ?? 0,
    };
  });
}

/** Blockers in one event of the progress. */
const few = 16;

function sampleWords({ tasks, left }: TransitionSample, blockers: readonly Blocker[]): string {
  if (left === 0) return `${tasks} tasks moved, idle CPUs left`;
  const [first] = blockers;
  const who = first === undefined ? '' : `: ${blockerWords(first)}`;
  return `${left} of ${tasks} tasks left${who}`;
}

export function blockerWords({ task, text }: Blocker): string {
  return task === undefined ? text : `${task.comm} (${task.tid}) ${text}`;
}

/** Who is left at the end of a transition that is not over, in a clause. */
export function whoIsLeft({ blockers, samples }: Story): string {
  const left = samples.at(-1)?.left ?? blockers.length;
  if (blockers.length === 0)
    return left === 0
      ? 'only idle tasks are left, which the kernel does not list'
      : left === 1
        ? 'one task is left'
        : `${left} tasks are left`;
  const named = blockers.slice(0, 3).map(blockerWords);
  const more = blockers.length - named.length;
  return `left ${blockers.length === 1 ? 'is' : 'are'} ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
