/**
 * Which atom of the original object is which of the patched one. Names lead; where the compiler numbered them,
 * content decides, then who refers to whom. What stays doubtful is left unmatched, and that is always safe for code:
 * an unmatched function counts as new, and whoever calls it as changed.
 */
import { createHash } from 'node:crypto';
import { STB } from '@livegraft/binfmt/elf/constants';
import type { Atom, UnitObject } from './atoms.ts';
import { fieldSize } from './atoms.ts';
import { isNumbered, stem } from './names.ts';

export interface Correlation {
  /** Original atom → patched atom. */
  readonly patchedOf: ReadonlyMap<Atom, Atom>;
  /** Patched atom → original atom. */
  readonly originalOf: ReadonlyMap<Atom, Atom>;
  /** How a pair was found, by patched atom. */
  readonly evidence: ReadonlyMap<Atom, 'name' | 'content' | 'only one left' | 'referred to alike'>;
}

type Evidence = 'name' | 'content' | 'only one left' | 'referred to alike';

export function correlate(original: UnitObject, patched: UnitObject): Correlation {
  const patchedOf = new Map<Atom, Atom>();
  const originalOf = new Map<Atom, Atom>();
  const evidence = new Map<Atom, Evidence>();
  const pair = (a: Atom, b: Atom, why: Evidence): void => {
    patchedOf.set(a, b);
    originalOf.set(b, a);
    evidence.set(b, why);
  };

  const groups = groupByStem(original, patched);
  for (const { before, after } of groups) pairByName(before, after, pair);
  for (const { before, after } of groups) {
    const left = before.filter((atom) => !patchedOf.has(atom));
    const right = after.filter((atom) => !originalOf.has(atom));
    if (left.length === 0 || right.length === 0) continue;
    pairByContent(original, left, patched, right, pair);
  }
  pairByReference(original, patched, patchedOf, originalOf, pair);
  for (const { before, after } of groups) {
    const left = before.filter((atom) => !patchedOf.has(atom));
    const right = after.filter((atom) => !originalOf.has(atom));
    // a variable that is alone of its name on both sides is the same one, unless its users say otherwise (above)
    if (left.length === 1 && right.length === 1 && before.length === 1 && after.length === 1) pair(left[0]!, right[0]!, 'only one left');
  }
  return { patchedOf, originalOf, evidence };
}

interface Group {
  readonly before: Atom[];
  readonly after: Atom[];
}

/** Named atoms that might be each other: same sort of thing, same name but for the compiler's numbers. */
function groupByStem(original: UnitObject, patched: UnitObject): readonly Group[] {
  const groups = new Map<string, Group>();
  const put = (atom: Atom, side: keyof Group): void => {
    if (atom.name === '') return;
    const key = `${atom.kind} ${stem(atom.name)}`;
    const group = groups.get(key) ?? { before: [], after: [] };
    group[side].push(atom);
    groups.set(key, group);
  };
  for (const atom of original.atoms) put(atom, 'before');
  for (const atom of patched.atoms) put(atom, 'after');
  return [...groups.values()];
}

/** A name without compiler's numbers is unique in its unit; a file-local one may become global and the other way round. */
function pairByName(before: readonly Atom[], after: readonly Atom[], pair: (a: Atom, b: Atom, why: Evidence) => void): void {
  const byName = new Map<string, Atom[]>();
  for (const atom of before) if (!isNumbered(atom.name)) byName.set(atom.name, [...(byName.get(atom.name) ?? []), atom]);
  for (const atom of after) {
    const [only, ...others] = byName.get(atom.name) ?? [];
    const twins = after.filter((other) => other.name === atom.name).length;
    if (only !== undefined && others.length === 0 && twins === 1) pair(only, atom, 'name');
  }
}

function pairByContent(
  original: UnitObject,
  left: readonly Atom[],
  patched: UnitObject,
  right: readonly Atom[],
  pair: (a: Atom, b: Atom, why: Evidence) => void,
): void {
  const index = (object: UnitObject, atoms: readonly Atom[]): Map<string, Atom[]> => {
    const map = new Map<string, Atom[]>();
    for (const atom of atoms) {
      const key = contentKey(object, atom);
      map.set(key, [...(map.get(key) ?? []), atom]);
    }
    return map;
  };
  const before = index(original, left);
  for (const [key, after] of index(patched, right)) {
    const candidates = before.get(key) ?? [];
    if (candidates.length === 1 && after.length === 1) pair(candidates[0]!, after[0]!, 'content');
  }
}

/** A digest of what an atom is, free of everything that the compiler may number or place differently. */
function contentKey(object: UnitObject, atom: Atom): string {
  const bytes = Uint8Array.from(object.bytes(atom));
  const hash = createHash('sha1');
  for (const reference of object.references(atom)) {
    bytes.fill(0, reference.offset, reference.offset + fieldSize(reference.type));
    const { target } = reference;
    const what =
      target.kind === 'symbol'
        ? `${target.symbol.name}+${target.addend}`
        : target.atom.kind === 'string' || target.atom.kind === 'constant'
          ? `"${Buffer.from(object.bytes(target.atom)).toString('hex')}"+${target.at}`
          : `${target.atom.kind} ${stem(target.atom.name)}+${target.addend}`;
    hash.update(`${reference.offset} ${reference.type} ${what}\n`);
  }
  return `${atom.section.type} ${atom.size} ${hash.update(bytes).digest('hex')}`;
}

/**
 * Static locals of one name hold the same bytes more often than not (once-flags, lock keys), so content cannot tell them
 * apart; but the functions that use them can: in a pair of functions the n-th different variable of that name is the same one.
 * A pair that two functions see differently is dropped.
 */
function pairByReference(
  original: UnitObject,
  patched: UnitObject,
  patchedOf: Map<Atom, Atom>,
  originalOf: Map<Atom, Atom>,
  pair: (a: Atom, b: Atom, why: Evidence) => void,
): void {
  const votes = new Map<Atom, Set<Atom>>();
  const votesBack = new Map<Atom, Set<Atom>>();
  for (const [f, g] of patchedOf) {
    if (f.kind !== 'function') continue;
    const before = variablesByStem(original, f, (atom) => patchedOf.has(atom));
    const after = variablesByStem(patched, g, (atom) => originalOf.has(atom));
    for (const [key, olds] of before) {
      const news = after.get(key);
      if (news === undefined || news.length !== olds.length) continue;
      olds.forEach((old, i) => {
        votes.set(old, (votes.get(old) ?? new Set()).add(news[i]!));
        votesBack.set(news[i]!, (votesBack.get(news[i]!) ?? new Set()).add(old));
      });
    }
  }
  for (const [old, choices] of votes) {
    const [choice] = choices;
    if (choices.size !== 1 || votesBack.get(choice!)?.size !== 1 || old.size !== choice!.size) continue;
    pair(old, choice!, 'referred to alike');
  }
}

function variablesByStem(object: UnitObject, f: Atom, done: (atom: Atom) => boolean): Map<string, Atom[]> {
  const found = new Map<string, Atom[]>();
  for (const { target } of object.references(f)) {
    if (target.kind !== 'atom' || target.atom.kind !== 'data' || done(target.atom)) continue;
    const key = stem(target.atom.name);
    const list = found.get(key) ?? [];
    if (!list.includes(target.atom)) list.push(target.atom);
    found.set(key, list);
  }
  return found;
}

/** True when other units can refer to the atom by name. */
export function isGlobal(atom: Atom): boolean {
  return atom.symbols.some((symbol) => symbol.binding !== STB.LOCAL);
}
