/** A transition, followed from outside: how many tasks have moved, until all have or the time is up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readSwitch } from './livepatch.ts';
import type { HostRoots } from './roots.ts';
import { readTasks, type Task } from './tasks.ts';

export interface TransitionSample {
  /** Seconds since the transition was begun, or first looked at. */
  readonly at: number;
  readonly tasks: number;
  /** Tasks that still have to move. 0 during a transition: only idle tasks are left, which the kernel does not list. */
  readonly left: number;
}

/**
 * `done`: all have moved. `turned`: it goes to the other side now. `gone`: the kernel no longer knows the livepatch, which was being enabled.
 * `timeout`: the time was up. `stopped`: by the signal.
 */
export type TransitionEnd = 'done' | 'turned' | 'gone' | 'timeout' | 'stopped';

export interface Transition {
  readonly end: TransitionEnd;
  /** 1: being enabled; 0: being taken back. */
  readonly side: 0 | 1;
  readonly seconds: number;
  /** Where something changed, at most a few hundred. */
  readonly samples: readonly TransitionSample[];
}

export interface FollowRequest {
  readonly roots: HostRoots;
  readonly name: string;
  readonly side: 0 | 1;
  /** When it was begun, on the clock of `performance.now()`; now unless given. */
  readonly began?: number;
  /** Seconds; without end when left out. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Called for each look at the tasks, with those that are left. */
  readonly onSample?: (sample: TransitionSample, left: readonly Task[]) => void | Promise<void>;
}

/** Milliseconds between two looks at the state: two small files. */
const beat = 100;
const mostSamples = 300;

/** Follows, and touches nothing. Looking at all tasks takes at most about a tenth of a processor, however many there are. */
export async function followTransition(request: FollowRequest): Promise<Transition> {
  const { roots, name, side, timeout = Number.POSITIVE_INFINITY, signal, onSample } = request;
  const { began = performance.now() } = request;
  const seconds = (): number => Math.round(performance.now() - began) / 1000;
  const samples: TransitionSample[] = [];
  let nextLook = 0;
  for (;;) {
    const end =
      endOf(side, readSwitch(roots, name)) ??
      (signal?.aborted === true ? 'stopped' : seconds() >= timeout ? 'timeout' : undefined);
    if (end !== undefined) return { end, side, seconds: seconds(), samples };
    if (performance.now() >= nextLook) {
      const started = performance.now();
      const tasks = await readTasks(roots);
      // a task of before the transition or after its end is on neither side
      const left = tasks.filter(({ patchState }) => patchState !== -1 && patchState !== side);
      const sample = { at: seconds(), tasks: tasks.length, left: left.length };
      // the transition may have ended meanwhile: then these tasks are no evidence of anything
      if (endOf(side, readSwitch(roots, name)) === undefined) {
        keep(samples, sample);
        await onSample?.(sample, left);
      }
      nextLook = performance.now() + Math.max(250, 10 * (performance.now() - started));
    }
    await sleep(beat, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

/** How it ended, as far as the kernel's switches tell; undefined while it goes on. */
export function endOf(side: 0 | 1, now: ReturnType<typeof readSwitch>): 'done' | 'turned' | 'gone' | undefined {
  if (now === undefined) return side === 1 ? 'gone' : 'done';
  if (now.enabled !== (side === 1)) return 'turned';
  return side === 1 && !now.inTransition ? 'done' : undefined;
}

/** The last one stands for those before it that said the same. */
function keep(samples: TransitionSample[], sample: TransitionSample): void {
  const [before, last] = samples.slice(-2);
  const same = last !== undefined && before?.left === sample.left && last.left === sample.left;
  if (same || samples.length >= mostSamples) samples.pop();
  samples.push(sample);
}
