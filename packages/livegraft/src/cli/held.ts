/** The transition that a command is about, and who holds it back. */
import { type Blocker, explainBlockers, timesOf } from '../host/blockers.ts';
import { findTransition, readLivepatch } from '../host/livepatch.ts';
import { hostRoots as roots } from '../host/roots.ts';
import { readProc, readTasks } from '../host/tasks.ts';
import { unknown } from '../live/revert.ts';
import { findSubject } from '../live/subject.ts';

export type Held =
  | { readonly name: string | null; readonly side: null; readonly words: string }
  | {
      readonly name: string;
      readonly side: 0 | 1;
      /** How many there are on the machine. */
      readonly tasks: number;
      /** Since the transition began, if the kernel's log still says. */
      readonly seconds?: number;
      readonly uptime: number;
      readonly found: readonly Blocker[];
    };

/** Of the named livepatch, or of whichever is in transition. Throws like `findSubject`, and `livepatch-unknown`. */
export async function findHeld(word: string | undefined, signal: AbortSignal): Promise<Held> {
  const subject = word === undefined ? undefined : await findSubject(roots, word);
  const patch = subject === undefined ? findTransition(roots) : readLivepatch(roots, subject.name);
  if (patch === undefined && subject !== undefined) throw unknown(roots, subject.name);
  if (patch === undefined) return { name: null, side: null, words: 'No transition is going on' };
  if (!patch.inTransition)
    return { name: patch.name, side: null, words: `${patch.name} is ${patch.state}; no transition` };
  const side = patch.enabled ? 1 : 0;
  const tasks = await readTasks(roots);
  const found = await explainBlockers({ roots, patch: patch.name, target: side, tasks, signal });
  const times = timesOf(roots, patch.name, side);
  return {
    name: patch.name,
    side,
    tasks: tasks.length,
    ...(times === undefined ? {} : { seconds: times.seconds }),
    uptime: Number.parseFloat(readProc(`${roots.proc}/uptime`) ?? '0'),
    found,
  };
}
