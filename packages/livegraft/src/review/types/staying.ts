/**
 * Who stays in a patched unit and goes on with a function’s old prototype. What the compiler made of the patched source, changed or not, calls by the
 * new one: code that comes out the same is right for both, and that holds for clones (`f.isra.0`), whose registers no prototype shows. What is
 * left is code that was not compiled again for the running kernel, and addresses, of whose users the compiler sees the type only.
 */
import { isBranch } from '../../klp/pieces.ts';
import type { Atom } from '../../objdiff/atoms.ts';
import type { Side } from '../../objdiff/compare.ts';
import { isGlobal } from '../../objdiff/correlate.ts';
import type { Diff, FunctionVerdict } from '../../objdiff/diff.ts';
import { coldParent } from '../../objdiff/names.ts';

export interface Staying {
  /** Old code that calls the function: left as it is by the patch, or gone from the source while others have its address. */
  readonly calls: readonly string[];
  /** Variables that hold its address, and functions that take it, on the patched side. */
  readonly pointers: readonly string[];
  /** Functions that took its address before, when nothing does any more: what they stored may still be called. */
  readonly earlier: readonly string[];
}

export function stayingOf({ original, patched, functions }: Diff, verdict: FunctionVerdict): Staying {
  const old = new Set(oldCode(original, functions));
  const pointers = takersOf(patched, verdict.patched!);
  return {
    calls: usersOf(original, verdict.original!, ({ branch, user }) => branch && old.has(user)),
    pointers,
    earlier: pointers.length > 0 ? [] : takersOf(original, verdict.original!),
  };
}

/** Who takes its address: a call or a jump does not. What start-up (`__init`) took of it is stored somewhere. */
function takersOf(side: Side, atom: Atom): string[] {
  return usersOf(side, atom, ({ branch }) => !branch);
}

interface Use {
  readonly user: Atom;
  readonly branch: boolean;
}

function usersOf({ object }: Side, atom: Atom, isWanted: (use: Use) => boolean): string[] {
  const names = object.atoms
    // exports, what kprobes may not touch and the like: lists of names and places, by which nobody calls
    .filter((user) => user !== atom && coldParent(user.name) !== atom.name && user.role !== 'registry')
    .filter((user) =>
      object
        .references(user)
        .some(
          (reference) =>
            reference.target.kind === 'atom' &&
            reference.target.atom === atom &&
            reference.target.at === 0 &&
            isWanted({ user, branch: isBranch(object, user, reference) }),
        ),
    )
    .map((user) => (user.name === '' ? `something in ${user.section.name}` : (coldParent(user.name) ?? user.name)));
  return [...new Set(names)];
}

/** Functions whose old code may begin to run at any time: those whose change is left out, and those that are gone but can be reached by address or from elsewhere, with what they call. */
function oldCode(original: Side, functions: readonly FunctionVerdict[]): Atom[] {
  const removed = functions.flatMap(({ verdict, original: atom }) => (verdict === 'removed' ? [atom!] : []));
  const found = new Set([
    ...functions.flatMap(({ ignored, original: atom }) => (ignored === true ? [atom!] : [])),
    ...removed.filter((atom) => atom.role === 'text' && (isGlobal(atom) || takersOf(original, atom).length > 0)),
  ]);
  for (const atom of found)
    for (const callee of removed)
      if (usersOf(original, callee, ({ user }) => user === atom).length > 0) found.add(callee);
  return [...found];
}
