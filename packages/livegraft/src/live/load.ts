/** The story of a load: the kernel takes the module, the transition is followed, and one that stalls is taken back. */
import type { Bundle } from '../bundle/bundle.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/host.ts';
import { insertModule, switchLivepatch } from '../host/drive.ts';
import type { Progress } from '../support/progress.ts';
import { type Mark, unmarked } from './attempt.ts';
import { type FollowOptions, follow, type Story, whoIsLeft } from './follow.ts';
import { finishRevert } from './revert.ts';

/** What happens when the time is up: take it back; leave it to the kernel, which goes on; wait without end. */
export type OnStall = 'revert' | 'keep' | 'wait';

export interface LoadRequest extends FollowOptions {
  readonly bundle: Bundle;
  readonly onStall: OnStall;
  /** False: the transition is begun and left to the kernel. */
  readonly wait: boolean;
  readonly progress: Progress;
  /** Writes each step down before it is done. */
  readonly mark?: Mark;
}

export interface Loaded {
  /**
   * `active`: all tasks run the new code. `started`: the transition goes on, as was asked. `reverted`: taken back, module unloaded.
   * `reverting`: being taken back, which the kernel goes on with.
   */
  readonly outcome: 'active' | 'started' | 'reverted' | 'reverting';
  readonly transition?: Story;
  readonly reversal?: Story;
  readonly unloaded: boolean;
  /** Why it is not active: first the reason. */
  readonly problems: readonly Diagnostic[];
}

/** Throws `kernel-refused` (exit 7). Once the kernel has taken the module, an abort means: take it back. */
export async function load(request: LoadRequest): Promise<Loaded> {
  const { bundle, progress, timeout, signal, mark = unmarked } = request;
  const { name } = bundle.manifest;
  signal?.throwIfAborted();
  await progress.step(`Load ${name}`, () => insertModule(name, bundle.module));
  await mark('inserted');
  if (!request.wait) return { outcome: 'started', unloaded: false, problems: [] };
  let transition = await follow({ ...request, name, side: 1 });
  if (transition.end === 'timeout' && request.onStall === 'wait') {
    progress.say(`Not done after ${timeout} s: ${whoIsLeft(transition)}. Waiting on, as was asked`);
    const { timeout: _none, ...endless } = request;
    transition = await follow({ ...endless, name, side: 1 });
  }
  switch (transition.end) {
    case 'done':
      return { outcome: 'active', transition, unloaded: false, problems: [] };
    case 'gone':
    case 'turned': {
      const problems = [say.takenBackElsewhere({ name })];
      const outcome = transition.end === 'gone' ? 'reverted' : 'reverting';
      return { outcome, transition, unloaded: false, problems };
    }
    case 'timeout': {
      const left = whoIsLeft(transition);
      const stalled = (now: string, next: string) =>
        say.transitionStalled({ name, seconds: timeout ?? 0, left, now, next });
      if (request.onStall === 'keep') {
        const problem = stalled('It was left in transition', `livegraft watch ${name}; livegraft blockers ${name}`);
        return { outcome: 'started', transition, unloaded: false, problems: [problem] };
      }
      const back = await takeBack(request);
      const now = back.unloaded ? 'It was taken back, and nothing is left of it' : backWords(back.reversal);
      const next = back.unloaded
        ? 'load again when they are gone, with a longer --timeout, or with --on-stall keep and `livegraft wake`'
        : `livegraft watch ${name}`;
      return { ...back, transition, problems: [stalled(now, next), ...back.problems] };
    }
    case 'stopped':
      return { ...(await takeBack(request)), transition };
  }
}

/** Seconds that a reversal after an interruption is followed: past the kernel’s nudge to sleepers, and within what cli/main.ts allows. */
const patienceAfterAbort = 18;

async function takeBack(request: LoadRequest): Promise<Omit<Loaded, 'transition'>> {
  const { roots, progress, bundle, timeout, signal, mark = unmarked } = request;
  const { name } = bundle.manifest;
  await mark('reversing');
  const began = performance.now();
  switchLivepatch(roots, name, 0);
  const seconds = signal?.aborted === true ? patienceAfterAbort : timeout;
  const reversal = await follow({
    roots,
    progress,
    name,
    side: 0,
    began,
    ...(seconds === undefined ? {} : { timeout: seconds }),
    ...(request.onSample === undefined ? {} : { onSample: request.onSample }),
  });
  if (reversal.end !== 'done') return { outcome: 'reverting', reversal, unloaded: false, problems: [] };
  const { unloaded, problems } = await finishRevert(roots, name, mark);
  return { outcome: 'reverted', reversal, unloaded, problems };
}

function backWords(reversal: Story | undefined): string {
  if (reversal?.end === 'done') return 'It was taken back; its module is still loaded';
  return 'It is being taken back, which has not ended either: the kernel goes on with it';
}
