/**
 * Halves of a pair that move between a function and those that only it calls: while it runs it is on the task's stack, so the task stays on its
 * side until both halves are done (Documentation/livepatch/livepatch.rst, "Consistency model").
 */
import type { Declaration } from '../../patch/declarations.ts';
import { callsIn } from './calls.ts';
import type { ChangedSide, Side } from './sides.ts';

type Functions = ReadonlyMap<string, Declaration>;

/** @param changes all those of one lock, or kind of reference, in a file */
export function isWithinOneCall(changes: readonly ChangedSide[], before: Functions, after: Functions): boolean {
  const [was, is] = [together(changes.map((each) => each.before)), together(changes.map((each) => each.after))];
  const balanced = (side: Side): boolean => side === 'neither' || side === 'both';
  if (was !== is && !(balanced(was) && balanced(is))) return false;
  // what only gives back may do so later: it is handed to whom calls it
  const givesOnly = was === 'gives' && is === 'gives';
  return changes.some((root) =>
    changes.every(
      (part) =>
        part === root ||
        ((part.before === 'neither' || isPartOf(part.function, root.function, before, changes, givesOnly)) &&
          (part.after === 'neither' || isPartOf(part.function, root.function, after, changes, givesOnly))),
    ),
  );
}

function together(sides: readonly Side[]): Side {
  const takes = sides.some((side) => side === 'takes' || side === 'both');
  const gives = sides.some((side) => side === 'gives' || side === 'both');
  return takes ? (gives ? 'both' : 'takes') : gives ? 'gives' : 'neither';
}

/** Called by the root (or handed to what it calls), and by nobody but those that are concerned. */
function isPartOf(
  name: string,
  root: string,
  functions: Functions,
  changes: readonly ChangedSide[],
  handedOn: boolean,
): boolean {
  const [own, caller] = [functions.get(name), functions.get(root)];
  if (own === undefined || caller === undefined || !own.tokens.some(({ text }) => text === 'static')) return false;
  const calls = (user: Declaration): boolean => callsIn(user).some((call) => call.name === name);
  const names = (user: Declaration): boolean => user.tokens.some(({ text }) => text === name);
  if (!(handedOn ? names(caller) : calls(caller))) return false;
  const concerned = new Set(changes.map((each) => each.function));
  return [...functions.values()].every((user) => concerned.has(user.name) || !names(user));
}
