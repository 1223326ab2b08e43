/** What a trial does inside the guest: steps as data, and the plan file through which the guest's agent (guest/trial.sh) learns of them. */

import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { badTrial } from '../diagnostics/vm.ts';

export interface Trial {
  readonly steps: readonly Step[];
}

export type Step = StepAction & {
  /** `ok` (usual): left out once a step that must pass has failed. `always` (usual for revert and unload): done in any case. */
  readonly when?: 'ok' | 'always';
  /** `must` (usual): its failure fails the trial. `may`: it is recorded, and that is all. */
  readonly need?: 'must' | 'may';
  /** Seconds of the guest's clock, at least 1. */
  readonly timeout?: number;
};

export type StepAction =
  /** Loads a module packed into the guest, with what it needs. */
  | { readonly kind: 'modprobe'; readonly module: string }
  /** Loads a .ko by its path in the guest. */
  | { readonly kind: 'insmod'; readonly path: string }
  | { readonly kind: 'rmmod'; readonly module: string }
  /** Runs with `sh`, in /, its output and exit code recorded. */
  | { readonly kind: 'script'; readonly name: string; readonly text: string }
  /** Loads a bundle's livepatch and follows the transition to its end. */
  | { readonly kind: 'load'; readonly patch: string }
  /** Disables a livepatch and follows the transition back. */
  | { readonly kind: 'revert'; readonly patch: string }
  | { readonly kind: 'unload'; readonly patch: string }
  /** A line in the kernel log. */
  | { readonly kind: 'mark'; readonly name: string };

/** A step with every choice made. */
export type PlannedStep = StepAction & {
  readonly number: number;
  readonly when: 'ok' | 'always';
  readonly need: 'must' | 'may';
  readonly timeout: number;
};

const usualTimeout: Record<Step['kind'], number> = {
  modprobe: 60,
  insmod: 60,
  rmmod: 30,
  script: 120,
  load: 120,
  revert: 120,
  unload: 30,
  mark: 10,
};

/** Steps that unload a target module and load it again, as a hotplug event or an administrator would. */
export function reload(module: string): Step[] {
  return [
    { kind: 'rmmod', module },
    { kind: 'modprobe', module },
  ];
}

/** The usual life of one livepatch: loaded, reverted, unloaded. */
export function lifeOf(patch: string, whileLoaded: readonly Step[] = []): Step[] {
  return [{ kind: 'load', patch }, ...whileLoaded, { kind: 'revert', patch }, { kind: 'unload', patch }];
}

/** What a step works on, in a word: for progress lines and reports. */
export function subject(step: StepAction): string {
  switch (step.kind) {
    case 'modprobe':
    case 'rmmod':
      return step.module;
    case 'insmod':
      return step.path;
    case 'script':
    case 'mark':
      return step.name;
    case 'load':
    case 'revert':
    case 'unload':
      return step.patch;
  }
}

/** Fills in what a trial leaves open. Throws `vm-bad-trial` for names that the guest's shell would read as something else. */
export function plan(trial: Trial): PlannedStep[] {
  return trial.steps.map((step, index) => {
    const number = index + 1;
    const refuse = (field: string, value: string, wanted: string): never => {
      throw new LivegraftError(badTrial({ step: number, field, value, wanted }));
    };
    if (step.kind === 'insmod') {
      if (!/^\/[\w./+-]+$/.test(step.path)) refuse('path', step.path, 'an absolute path of letters, digits and ./_+-');
    } else if (step.kind !== 'script' && step.kind !== 'mark' && !/^\w[\w.-]*$/.test(subject(step))) {
      refuse('name', subject(step), 'a module name of letters, digits, - and _');
    }
    const timeout = step.timeout ?? usualTimeout[step.kind];
    if (!Number.isInteger(timeout) || timeout < 1)
      refuse('timeout', String(timeout), 'a whole number of seconds, 1 or more');
    const always = step.kind === 'revert' || step.kind === 'unload';
    return { ...step, number, when: step.when ?? (always ? 'always' : 'ok'), need: step.need ?? 'must', timeout };
  });
}

/** The plan as the guest's agent reads it: one line a step. Scripts travel as files of their own. */
export function planText(steps: readonly PlannedStep[]): string {
  return steps
    .map((step) => {
      const argument = step.kind === 'script' ? '' : step.kind === 'mark' ? plainWords(step.name) : subject(step);
      return `${[step.number, step.kind, step.when, step.need, step.timeout, argument].join(' ').trimEnd()}\n`;
    })
    .join('');
}

/** The shell splits and globs a mark's words, harmlessly, if they are words. */
function plainWords(text: string): string {
  return text.replace(/[^\w .:,/+-]/g, '_');
}
