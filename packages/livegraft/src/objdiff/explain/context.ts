/** What all explanations of one comparison look up. */
import type { Atom } from '../atoms.ts';
import type { Comparison } from '../compare.ts';
import type { Diff, FunctionVerdict, Verdict } from '../diff.ts';
import { coldParent } from '../names.ts';
import { type Instruction, instructionsOf } from './listing.ts';

export interface Context {
  readonly diff: Diff;
  readonly comparison: Comparison;
  /** A function that ftrace cannot reach counts as removed and new: two verdicts under one name. */
  has(name: string, verdict: Verdict): boolean;
  /** The function of that name in the original object, in the patched one. */
  before(name: string): Atom | undefined;
  after(name: string): Atom | undefined;
  /** Who refers to an atom of the patched object, functions first. */
  userOf(atom: Atom): Atom | undefined;
}

export function contextOf(diff: Diff): Context {
  const functionsOf = (atoms: readonly Atom[]): Map<string, Atom> =>
    new Map(atoms.filter((atom) => atom.kind === 'function').map((atom) => [atom.name, atom]));
  const before = functionsOf(diff.original.object.atoms);
  const after = functionsOf(diff.patched.object.atoms);
  const verdicts = new Set(diff.functions.map(({ name, verdict }) => `${verdict} ${name}`));
  let users: ReadonlyMap<Atom, Atom> | undefined;
  return {
    diff,
    comparison: diff.comparison,
    has: (name, verdict) => verdicts.has(`${verdict} ${name}`),
    before: (name) => before.get(name),
    after: (name) => after.get(name),
    userOf: (atom) => {
      users ??= usersIn(diff);
      return users.get(atom);
    },
  };
}

function usersIn({ patched: { object } }: Diff): ReadonlyMap<Atom, Atom> {
  const users = new Map<Atom, Atom>();
  for (const atom of object.atoms) {
    for (const { target } of object.references(atom)) {
      if (target.kind !== 'atom' || target.atom === atom || coldParent(atom.name) === target.atom.name) continue;
      const known = users.get(target.atom);
      if (known === undefined || (known.kind !== 'function' && atom.kind === 'function')) users.set(target.atom, atom);
    }
  }
  return users;
}

/** Where two versions of a function (or of its part) part ways. */
export interface Divergence {
  readonly original: Atom;
  readonly patched: Atom;
  readonly left: readonly Instruction[];
  readonly right: readonly Instruction[];
  /** Of the first instruction that is another one; the end of the shorter list where one goes on. */
  readonly index: number;
}

/** Undefined where the function has no counterpart or the code is the same. */
export function divergenceOf(context: Context, verdict: FunctionVerdict): Divergence | undefined {
  const { why } = verdict;
  if (why === undefined || why.difference.what === 'section' || why.difference.what === 'table') return undefined;
  const patched = why.part === undefined ? verdict.patched : context.after(why.part);
  const original =
    why.part === undefined ? verdict.original : patched && context.diff.correlation.originalOf.get(patched);
  if (original === undefined || patched === undefined) return undefined;
  const left = instructionsOf(context.diff.original.object, original);
  const right = instructionsOf(context.diff.patched.object, patched);
  const index = firstDivergence(context, original, left, patched, right);
  return index === undefined ? undefined : { original, patched, left, right, index };
}

/**
 * Branches inside the function are compared by where they lead, counted in instructions, as far as that is known: an
 * instruction more, further down, changes the offsets of all branches across it.
 */
function firstDivergence(
  { diff, comparison }: Context,
  a: Atom,
  left: readonly Instruction[],
  b: Atom,
  right: readonly Instruction[],
): number | undefined {
  const [before, after] = [diff.original.object.bytes(a), diff.patched.object.bytes(b)];
  const same = (one: Instruction, other: Instruction): boolean => {
    if (one.jump !== undefined && other.jump !== undefined) return one.mnemonic === other.mnemonic;
    if (!sameOutsideFields(before, one, after, other)) return false;
    return one.references.every(({ target }, i) => comparison.sameTarget(target, other.references[i]!.target));
  };
  let end = 0;
  while (end < left.length && end < right.length && same(left[end]!, right[end]!)) end++;
  const indexBefore = new Map(left.map(({ offset }, i) => [offset, i]));
  const indexAfter = new Map(right.map(({ offset }, i) => [offset, i]));
  for (let i = 0; i < end; i++) {
    const { jump: one } = left[i]!;
    const { jump: other } = right[i]!;
    if (one === undefined || other === undefined) continue;
    const [from, to] = [indexBefore.get(one), indexAfter.get(other)];
    if (from !== to && Math.min(from ?? Infinity, to ?? Infinity) < end) return i;
  }
  return end < left.length || end < right.length ? end : undefined;
}

/** True when the instructions at the divergence are the same but for what they refer to. */
export function sameBytes({ diff }: Context, { original, patched, left, right, index }: Divergence): boolean {
  const [one, other] = [left[index], right[index]];
  if (one === undefined || other === undefined) return false;
  return sameOutsideFields(diff.original.object.bytes(original), one, diff.patched.object.bytes(patched), other);
}

/** Equal bytes and fields, whatever the fields refer to. */
export function sameOutsideFields(
  before: Uint8Array,
  one: Instruction,
  after: Uint8Array,
  other: Instruction,
): boolean {
  if (one.size !== other.size || one.fields.length !== other.fields.length) return false;
  if (!one.fields.every((field, i) => field.start === other.fields[i]!.start && field.size === other.fields[i]!.size))
    return false;
  const isField = (at: number): boolean => one.fields.some(({ start, size }) => at >= start && at < start + size);
  for (let i = 0; i < one.size; i++)
    if (before[one.offset + i] !== after[other.offset + i] && !isField(i)) return false;
  return true;
}
