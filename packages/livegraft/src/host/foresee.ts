/** Who would hold a transition back if it began now: tasks that are seen in functions which it waits for, and those whose stacks the kernel does not trust. */
import type { Blocker } from './blockers.ts';
import { gatherEvidence } from './evidence.ts';
import { foresee } from './judge.ts';
import { symbolSizes } from './kallsyms.ts';
import type { Livepatch } from './livepatch.ts';
import { inFunctionsOf } from './patch-functions.ts';
import type { HostRoots } from './roots.ts';
import { foreignCode, readStack } from './stacks.ts';
import { readProc, readTasks } from './tasks.ts';

export interface Foreseen {
  /** Tasks of the machine. */
  readonly tasks: number;
  /** Seconds. */
  readonly uptime: number;
  readonly blockers: readonly Blocker[];
}

/**
 * One look: a task that runs at that moment shows no stack, and who comes later is not seen.
 * @param patch as it will be loaded
 * @param others loaded livepatches
 */
export async function foreseeBlockers(
  roots: HostRoots,
  patch: Livepatch,
  others: readonly Livepatch[],
): Promise<Foreseen> {
  const inPatch = inFunctionsOf(
    patch.replace === true ? together(patch, others) : patch,
    1,
    others,
    symbolSizes(roots),
  );
  // our own threads sleep now and then, too
  const tasks = (await readTasks(roots)).filter(({ pid }) => pid !== process.pid);
  const held = tasks.filter(({ pid, tid }) => {
    const frames = readStack(roots, pid, tid);
    return frames.some((frame) => inPatch(frame) !== undefined) || foreignCode(frames) !== undefined;
  });
  const uptime = Number.parseFloat(readProc(`${roots.proc}/uptime`) ?? '0');
  const surroundings = { inPatch, times: undefined, uptime };
  const evidence = gatherEvidence(
    roots,
    held.map((task) => ({ looks: [task], seen: [] })),
  );
  const blockers = evidence.map((each) => foresee(each, surroundings));
  // who has come out meanwhile would hold nothing back
  return { tasks: tasks.length, uptime, blockers: blockers.filter(({ reason }) => reason !== 'next-look') };
}

/** Atomic replace waits for the functions of those that it sweeps away as well. */
function together(patch: Livepatch, others: readonly Livepatch[]): Livepatch {
  return { ...patch, objects: [...patch.objects, ...others.flatMap(({ objects }) => objects)] };
}
