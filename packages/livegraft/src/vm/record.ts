/** Gathers what a guest tells of its trial into one outcome a step. */
import type { GuestEvent } from './protocol.ts';
import type { PlannedStep } from './trial.ts';

export interface StepOutcome {
  readonly step: PlannedStep;
  /**
   * `passed`/`failed`: it ended, with exit code 0 or another. `timeout`: it did not end in time and was killed. `stalled`: the livepatch is
   * loaded (or disabled) and its transition did not end in time. `unfinished`: the guest ended during it. `skipped`: left out after a failure.
   * `unreached`: the guest ended before it.
   */
  readonly outcome: 'passed' | 'failed' | 'timeout' | 'stalled' | 'unfinished' | 'skipped' | 'unreached';
  readonly exitCode?: number;
  /** Standard output and error as they came, bytes; at most the first MiB. */
  readonly output: Uint8Array;
  /** Whether there was more output. */
  readonly cut: boolean;
  /** Seconds of the guest's clock: since its kernel started, and how long the step took. */
  readonly at?: number;
  readonly seconds?: number;
  readonly taintBefore?: bigint;
  readonly taintAfter?: bigint;
  /** Of `load` and `revert`: how the tasks moved over. */
  readonly transition?: readonly TransitionSample[];
}

export interface TransitionSample {
  /** Seconds since the step began. */
  readonly at: number;
  readonly inTransition: boolean;
  /** Tasks that still have to move. Idle tasks have no /proc entry: 0 here with `inTransition` means that one of them is left. */
  readonly left: number;
  readonly tasks: number;
  /** Who they are, at most 64. */
  readonly blockers: readonly Blocker[];
}

export interface Blocker {
  readonly tid: number;
  readonly comm: string;
  /** As in /proc/PID/stat: R, S, D, T … */
  readonly state: string;
  /** Where it sleeps, innermost first; taken only when a transition lasts. */
  readonly stack?: readonly string[];
}

type Draft = { -readonly [K in keyof Omit<StepOutcome, 'output' | 'transition'>]: StepOutcome[K] } & {
  readonly output: Uint8Array[];
  readonly transition: TransitionSample[];
};

export class TrialRecord {
  readonly #drafts: Draft[];
  /** Named since the last sample: they belong to the next. */
  #blockers: { tid: number; comm: string; state: string; stack?: string[] }[] = [];

  constructor(steps: readonly PlannedStep[]) {
    this.#drafts = steps.map((step) => ({
      step,
      outcome: 'unreached',
      output: [],
      cut: false,
      transition: [],
    }));
  }

  /** Takes one event; those that name no step of this trial are not for us. */
  take(event: GuestEvent): void {
    if (!('step' in event)) return;
    const draft = this.#drafts[event.step - 1];
    if (draft === undefined) return;
    switch (event.kind) {
      case 'begin':
        draft.outcome = 'unfinished';
        draft.at = event.uptime;
        draft.taintBefore = event.taint;
        return;
      case 'output':
        draft.output.push(event.bytes);
        return;
      case 'cut':
        draft.cut = true;
        return;
      case 'skip':
        draft.outcome = 'skipped';
        return;
      case 'blocker':
        this.#blockers.push({ tid: event.tid, comm: event.comm, state: event.state });
        return;
      case 'stack': {
        const blocker = this.#blockers.find(({ tid }) => tid === event.tid);
        if (blocker === undefined) return;
        blocker.stack ??= [];
        blocker.stack.push(event.frame);
        return;
      }
      case 'sample': {
        const { inTransition, left, tasks } = event;
        draft.transition.push({ at: since(draft, event.uptime), inTransition, left, tasks, blockers: this.#blockers });
        this.#blockers = [];
        return;
      }
      case 'end':
        draft.seconds = since(draft, event.uptime);
        draft.taintAfter = event.taint;
        Object.assign(draft, outcomeOf(event.status));
        return;
    }
  }

  outcomes(): StepOutcome[] {
    return this.#drafts.map(({ output, transition, ...draft }) => ({
      ...draft,
      output: Buffer.concat(output),
      ...(draft.step.kind === 'load' || draft.step.kind === 'revert' ? { transition } : {}),
    }));
  }
}

function outcomeOf(status: string): Pick<StepOutcome, 'outcome' | 'exitCode'> {
  if (status === 'timeout' || status === 'stalled') return { outcome: status };
  const exitCode = Number(status);
  return Number.isInteger(exitCode)
    ? { outcome: exitCode === 0 ? 'passed' : 'failed', exitCode }
    : { outcome: 'failed' };
}

/** Uptime has hundredths; so has this. */
function since(draft: { at?: number }, uptime: number): number {
  return Math.round((uptime - (draft.at ?? uptime)) * 100) / 100;
}
