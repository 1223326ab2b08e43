/** The story of a revert: disabled, followed back, its module unloaded. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/host.ts';
import { removeModule, switchLivepatch } from '../host/drive.ts';
import { exitGrace, exitPathOfModule } from '../host/exit-path.ts';
import { readLivepatch, readLivepatches, readSwitch } from '../host/livepatch.ts';
import { readModule } from '../host/modules.ts';
import type { HostRoots } from '../host/roots.ts';
import { type Mark, unmarked } from './attempt.ts';
import { type FollowOptions, follow, type Story, whoIsLeft } from './follow.ts';
import { stateWord } from './preflight.ts';

export interface RevertRequest extends FollowOptions {
  readonly name: string;
  readonly keepModule: boolean;
  /** Writes each step down before it is done. */
  readonly mark?: Mark;
}

export interface Reverted {
  /** `reverting`: the kernel goes on with it; it was followed no longer. */
  readonly outcome: 'reverted' | 'reverting' | 'turned';
  readonly transition: Story;
  readonly unloaded: boolean;
  readonly problems: readonly Diagnostic[];
}

/** Throws `livepatch-unknown`, and `switch-refused` while another one is in transition. An abort leaves the rest to the kernel. */
export async function revert(request: RevertRequest): Promise<Reverted> {
  const { roots, name, timeout, mark = unmarked } = request;
  const before = readSwitch(roots, name);
  if (before === undefined) throw unknown(roots, name);
  request.signal?.throwIfAborted();
  const began = performance.now();
  // one that is being disabled already is only followed
  if (before.enabled) switchLivepatch(roots, name, 0);
  await mark('transition');
  const transition = await follow({ ...request, side: 0, began });
  switch (transition.end) {
    case 'done': {
      const rest = request.keepModule ? { unloaded: false, problems: [] } : await finishRevert(roots, name, mark);
      return { outcome: 'reverted', transition, ...rest };
    }
    case 'turned':
      return { outcome: 'turned', transition, unloaded: false, problems: [say.takenBackElsewhere({ name })] };
    case 'timeout': {
      const left = whoIsLeft(transition);
      const now = 'The kernel goes on with it';
      const next = `livegraft blockers ${name}; livegraft watch ${name}, then livegraft unload ${name}`;
      const problems = [say.transitionStalled({ name, seconds: timeout ?? 0, left, now, next })];
      return { outcome: 'reverting', transition, unloaded: false, problems };
    }
    // somebody else was faster with the rest
    case 'gone':
      return { outcome: 'reverted', transition, unloaded: true, problems: [] };
    case 'stopped':
      return { outcome: 'reverting', transition, unloaded: false, problems: [] };
  }
}

/** Unloads the module of a livepatch that was taken back; one that stays is a warning, not a failure of the revert. */
export async function finishRevert(
  roots: HostRoots,
  name: string,
  mark: Mark = unmarked,
): Promise<{ readonly unloaded: boolean; readonly problems: readonly Diagnostic[] }> {
  const unseen = exitPathOfModule(roots, name);
  if (unseen.length > 0) {
    const kept: Diagnostic = say.moduleKept({ name, functions: unseen });
    return { unloaded: false, problems: [kept] };
  }
  await mark('unloading');
  try {
    await removeModule(roots, name);
    return { unloaded: true, problems: [] };
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    return { unloaded: false, problems: error.diagnostics.map((each) => ({ ...each, severity: 'warning' })) };
  }
}

/**
 * Unloads the module of a livepatch that is no longer there, half a minute later when it replaced functions in which dying tasks are
 * not seen. Throws `still-enabled`, `livepatch-unknown`, `module-in-use`.
 */
export async function unload(roots: HostRoots, name: string, signal?: AbortSignal): Promise<void> {
  const livepatch = readLivepatch(roots, name);
  // one in its last moment is waited for
  if (livepatch !== undefined && livepatch.state !== 'inactive')
    throw new LivegraftError(say.stillEnabled({ name, state: stateWord(livepatch) }));
  const module = readModule(roots, name);
  if (module === undefined || !module.taint.includes('K')) throw unknown(roots, name);
  if (exitPathOfModule(roots, name).length > 0)
    await sleep(exitGrace, undefined, signal === undefined ? {} : { signal });
  await removeModule(roots, name);
}

export function unknown(roots: HostRoots, name: string): LivegraftError {
  return new LivegraftError(
    say.livepatchUnknown({ name, loaded: readLivepatches(roots).map((livepatch) => livepatch.name) }),
  );
}
