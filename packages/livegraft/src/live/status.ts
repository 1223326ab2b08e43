/** What is loaded and what runs, from the kernel's own files alone; and whether that is as it should be. */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/host.ts';
import { type Blocker, explainBlockers } from '../host/blockers.ts';
import { readRunningKernel } from '../host/kernel.ts';
import { type Livepatch, type LivepatchFunction, readLivepatches } from '../host/livepatch.ts';
import { livepatchModules, readModule } from '../host/modules.ts';
import type { HostRoots } from '../host/roots.ts';
import { readTasks } from '../host/tasks.ts';
import { blockerWords } from './follow.ts';
import { stateWord } from './preflight.ts';
import type { Subject } from './subject.ts';

export interface HostStatus {
  readonly kernel: { readonly release: string; readonly buildId?: string };
  /** The oldest first. */
  readonly livepatches: readonly LivepatchStatus[];
  /** Modules whose livepatch was reverted or replaced: they do nothing, and can be unloaded. */
  readonly leftovers: readonly string[];
  /** The one that is going on; the kernel has one at most. */
  readonly transition: TransitionStatus | null;
}

export interface LivepatchStatus extends Omit<Livepatch, 'objects'> {
  readonly objects: readonly {
    readonly name: string;
    /** A module that is not there: its functions are replaced when it comes. */
    readonly loaded: boolean;
    readonly patched?: boolean;
    readonly functions: readonly (LivepatchFunction & {
      /** The newer livepatch whose version runs instead. */
      readonly overriddenBy?: string;
    })[];
  }[];
}

export interface TransitionStatus {
  readonly name: string;
  readonly side: 0 | 1;
  readonly tasks: number;
  readonly left: number;
  readonly blockers: readonly Blocker[];
}

/** @param withTasks whether to look at all tasks when there is a transition: only root can */
export async function readStatus(roots: HostRoots, withTasks: boolean): Promise<HostStatus> {
  const { release, buildId } = readRunningKernel(roots);
  const livepatches = readLivepatches(roots);
  const names = new Set(livepatches.map(({ name }) => name));
  const moving = livepatches.find(({ inTransition }) => inTransition);
  return {
    kernel: { release, ...(buildId === undefined ? {} : { buildId }) },
    livepatches: livepatches.map((livepatch, index) => withFunctions(roots, livepatch, livepatches.slice(index + 1))),
    leftovers: livepatchModules(roots)
      .map(({ name }) => name)
      .filter((name) => !names.has(name)),
    transition: moving === undefined || !withTasks ? null : await readTransition(roots, moving),
  };
}

/** A livepatch that is being taken back still stands before older ones for tasks that have not moved. */
function withFunctions(roots: HostRoots, livepatch: Livepatch, newer: readonly Livepatch[]): LivepatchStatus {
  return {
    ...livepatch,
    objects: livepatch.objects.map((object) => ({
      ...object,
      loaded: object.name === 'vmlinux' || readModule(roots, object.name) !== undefined,
      functions: object.functions.map((fn) => {
        const by = newer.findLast(({ enabled, objects }) => enabled && replaces(objects, object.name, fn))?.name;
        return by === undefined ? fn : { ...fn, overriddenBy: by };
      }),
    })),
  };
}

function replaces(objects: Livepatch['objects'], object: string, { name, position }: LivepatchFunction): boolean {
  return objects.some(
    (each) => each.name === object && each.functions.some((fn) => fn.name === name && fn.position === position),
  );
}

async function readTransition(roots: HostRoots, { name, enabled }: Livepatch): Promise<TransitionStatus> {
  const side = enabled ? 1 : 0;
  const tasks = await readTasks(roots);
  const left = tasks.filter(({ patchState }) => patchState !== -1 && patchState !== side);
  const blockers = await explainBlockers({ roots, patch: name, target: side, tasks: left });
  return { name, side, tasks: tasks.length, left: left.length, blockers };
}

/** What is not as it should be: for all that is loaded, or for those named. */
export function checkStatus(status: HostStatus, subjects: readonly Subject[]): Diagnostic[] {
  const problems: Diagnostic[] = [];
  for (const { name } of subjects) {
    if (status.livepatches.some((livepatch) => livepatch.name === name)) continue;
    const left = status.leftovers.includes(name);
    const problem = left ? 'Its module is loaded, but its livepatch was reverted or replaced' : 'It is not loaded';
    problems.push(say.checkFailed({ name, problem }));
  }
  const meant = (name: string): boolean => subjects.length === 0 || subjects.some((each) => each.name === name);
  for (const livepatch of status.livepatches.filter(({ name }) => meant(name)))
    problems.push(...checkLivepatch(livepatch, status));
  return problems;
}

function checkLivepatch(livepatch: LivepatchStatus, { transition }: HostStatus): Diagnostic[] {
  const { name, state, objects } = livepatch;
  if (livepatch.inTransition) {
    const direction = livepatch.enabled ? 'enabled' : 'taken back';
    return [say.checkMoving({ name, direction, left: leftWords(transition) })];
  }
  if (state !== 'active') return [say.checkFailed({ name, problem: `It is ${stateWord(livepatch)}` })];
  return objects.flatMap((object) => {
    if (object.loaded && object.patched === false)
      return [say.checkFailed({ name, problem: `${object.name} is loaded, and its functions are not replaced` })];
    return object.functions
      .filter(({ overriddenBy }) => overriddenBy !== undefined)
      .map((fn) =>
        say.checkFailed({ name, problem: `${fn.name}: the version of ${fn.overriddenBy} runs instead of its own` }),
      );
  });
}

/** Who is left in a transition, in a clause. */
export function leftWords(transition: TransitionStatus | null): string {
  if (transition === null) return 'who is left, only root can see';
  const { left, tasks, blockers } = transition;
  if (left === 0) return `all ${tasks} tasks have moved; idle CPUs, which have no entry in /proc, may be left`;
  const who = blockers.slice(0, 3).map(blockerWords).join('; ');
  return `${left} of ${tasks} tasks left${who === '' ? '' : `: ${who}`}${left > 3 ? '; …' : ''}`;
}
