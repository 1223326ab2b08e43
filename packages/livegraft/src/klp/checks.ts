/** What must hold before a piece of new code may refer to the running kernel; each check is about one way to be silently wrong. */
import { STB } from '@livegraft/binfmt/elf/constants';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/klp.ts';
import { symbolUnresolved } from '../diagnostics/provenance.ts';
import type { Atom, AtomTarget } from '../objdiff/atoms.ts';
import { contentKey } from '../objdiff/correlate.ts';
import { coldParent, isNumbered, stem } from '../objdiff/names.ts';
import type { ChangedUnit } from './unit.ts';

/** Who refers to something, for messages. */
export interface User {
  readonly unit: string;
  readonly function: string;
}

/** The function that an atom is or belongs to, as messages call it. */
export function functionOf(atom: Atom): string {
  return atom.name === '' ? atom.section.name : (coldParent(atom.name) ?? atom.name);
}

/**
 * The addresses come from the proof, the code from the pair, which is compiled with other flags: a number that the
 * compiler chose must mean the same in both. Throws LivegraftError when it does not.
 */
export function requireSameNumbering({ source, diff, placement, space }: ChangedUnit, original: Atom): void {
  const { name } = original;
  const { proof } = placement;
  if (!isNumbered(name) || proof === undefined) return;
  const pair = diff.original.object;
  const twins = (object: typeof proof): Atom[] =>
    object.atoms.filter((atom) => atom.kind === original.kind && stem(atom.name) === stem(name));
  const there = twins(proof);
  const here = twins(pair);
  const same = there.find((atom) => atom.name === name);
  const alone = there.length === 1 && here.length === 1;
  if (same !== undefined && (alone || contentKey(pair, original) === contentKey(proof, same))) return;
  const what = `the compiler numbers the ${here.length} symbols ${stem(name)} of the unit differently with -ffunction-sections -fdata-sections`;
  throw new LivegraftError(symbolUnresolved({ unit: source, name, object: space.own.name, what }));
}

/** A new global definition of a name that the kernel has already would be used by the new code alone. */
export function takenNames({ source, space }: ChangedUnit, { symbols }: Atom): Diagnostic[] {
  return symbols.flatMap(({ name, binding }) => {
    if (binding === STB.LOCAL) return [];
    const isThere = space.own.named(name).some((symbol) => symbol.global);
    const owner = isThere ? space.own.name : space.own === space.vmlinux ? undefined : space.exports.get(name)?.owner;
    return owner === undefined ? [] : [say.nameTaken({ unit: source, name, object: owner })];
  });
}

/** Whatever points into the middle of new code from outside would have to come along: a table that is not known. */
export function unknownTables({ source, diff }: ChangedUnit, included: (atom: Atom) => boolean): Diagnostic[] {
  const { object } = diff.patched;
  const found = new Map<string, Diagnostic>();
  const isOther = (atom: Atom): boolean =>
    atom.kind !== 'function' && !['text', 'fragments', 'once'].includes(atom.role) && !included(atom);
  for (const atom of object.atoms) {
    if (atom.section.relocations.length === 0 || !isOther(atom)) continue;
    const table = atom.section.name;
    for (const { target } of object.references(atom)) {
      if (target.kind !== 'atom' || target.atom.kind !== 'function' || target.at === 0 || !included(target.atom))
        continue;
      const where = { unit: source, function: functionOf(target.atom) };
      found.set(`${target.atom.id} ${table}`, say.unknownTable({ ...where, table, offset: target.at }));
    }
  }
  return [...found.values()];
}

/** Throws unless the variables around a doubtful target are those around it in the running kernel, so that all readings agree. */
export function requireSameSurroundings(unit: ChangedUnit, user: User, { atom }: AtomTarget): void {
  const { original, patched, correlation } = unit.diff;
  const before = correlation.originalOf.get(atom);
  if (before !== undefined) {
    const now = patched.object.neighbours(atom);
    const then = original.object.neighbours(before);
    const same = (a: Atom | undefined, b: Atom | undefined): boolean =>
      a === undefined || b === undefined || a.padding !== undefined || b.padding !== undefined
        ? a?.padding === b?.padding && a?.size === b?.size
        : correlation.originalOf.get(a) === b && a.start - atom.start === b.start - before.start;
    if (same(now.before, then.before) && same(now.behind, then.behind)) return;
  }
  throw new LivegraftError(
    say.doubtfulReference({ ...user, symbol: atom.name || atom.section.name, section: atom.section.name }),
  );
}
