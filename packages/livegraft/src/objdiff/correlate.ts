/**
 * Which atom of the original object is which of the patched one. Names lead; where the compiler numbered them,
 * content decides, then who refers to whom. What stays doubtful is left unmatched, and that is always safe for code:
 * an unmatched function counts as new, and whoever calls it as changed.
 */
import { createHash } from 'node:crypto';
import { STB } from '@livegraft/binfmt/elf/constants';
import type { Atom, Target, UnitObject } from './atoms.ts';
import { isNumbered, isOnceFlag, stem } from './names.ts';
import { fieldSize, plainType } from './relocations.ts';

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
  const left = (group: Group): Atom[] => group.before.filter((atom) => !patchedOf.has(atom));
  const right = (group: Group): Atom[] => group.after.filter((atom) => !originalOf.has(atom));
  for (const { before, after } of groups) pairByName(before, after, pair);
  for (const group of groups.filter(holdsCode)) pairByContent(original, left(group), patched, right(group), pair);
  for (const group of groups.filter(holdsCode)) pairLast(group, left(group), right(group), pair);
  // what a variable holds at the start says little about which one it is: its users say more
  pairByReference(original, patched, patchedOf, originalOf, pair);
  const near = new Neighbourhood(original, patched, patchedOf, originalOf);
  for (const group of groups.filter((each) => !holdsCode(each))) {
    const pairNear = (a: Atom, b: Atom, why: Evidence): void => {
      if (a.role !== 'data' || near.share(a, b)) pair(a, b, why);
    };
    pairByContent(original, left(group), patched, right(group), pairNear);
    pairLast(group, left(group), right(group), pairNear);
  }
  return { patchedOf, originalOf, evidence };
}

function holdsCode({ before, after }: Group): boolean {
  return (before[0] ?? after[0])!.kind === 'function';
}

/** What is alone of its name on both sides. */
function pairLast(
  group: Group,
  left: readonly Atom[],
  right: readonly Atom[],
  pair: (a: Atom, b: Atom, why: Evidence) => void,
): void {
  if (left.length !== 1 || right.length !== 1 || group.before.length !== 1 || group.after.length !== 1) return;
  pair(left[0]!, right[0]!, 'only one left');
}

/** Who uses a variable, before and after. */
class Neighbourhood {
  readonly #before: ReadonlyMap<Atom, ReadonlySet<Atom>>;
  readonly #after: ReadonlyMap<Atom, ReadonlySet<Atom>>;
  readonly #patchedOf: ReadonlyMap<Atom, Atom>;
  readonly #originalOf: ReadonlyMap<Atom, Atom>;

  constructor(
    original: UnitObject,
    patched: UnitObject,
    patchedOf: ReadonlyMap<Atom, Atom>,
    originalOf: ReadonlyMap<Atom, Atom>,
  ) {
    this.#before = usersOf(original);
    this.#after = usersOf(patched);
    this.#patchedOf = patchedOf;
    this.#originalOf = originalOf;
  }

  /** True when a user of the one is a user of the other, was inlined into one, or was split off from one; or when neither has any. */
  share(a: Atom, b: Atom): boolean {
    const left = this.#before.get(a) ?? new Set();
    const right = this.#after.get(b) ?? new Set();
    if (left.size === 0 && right.size === 0) return true;
    for (const user of left) {
      const same = this.#patchedOf.get(user);
      if (same !== undefined && right.has(same)) return true;
      for (const later of right) if (this.#moved(user, same, later)) return true;
    }
    return false;
  }

  #moved(user: Atom, same: Atom | undefined, later: Atom): boolean {
    const earlier = this.#originalOf.get(later);
    const calledBefore = earlier !== undefined && (this.#before.get(user)?.has(earlier) ?? false);
    const calledStill = same !== undefined && (this.#after.get(same)?.has(later) ?? false);
    const callsNow = same !== undefined && (this.#after.get(later)?.has(same) ?? false);
    const calledAlready = earlier !== undefined && (this.#before.get(earlier)?.has(user) ?? false);
    return (calledBefore && !calledStill) || (callsNow && !calledAlready);
  }
}

function usersOf(object: UnitObject): Map<Atom, Set<Atom>> {
  const users = new Map<Atom, Set<Atom>>();
  for (const atom of object.atoms) {
    if (atom.kind === 'unnamed') continue;
    for (const { target } of object.references(atom)) {
      if (target.kind !== 'atom' || target.atom === atom) continue;
      const known = users.get(target.atom);
      if (known === undefined) users.set(target.atom, new Set([atom]));
      else known.add(atom);
    }
  }
  return users;
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
function pairByName(
  before: readonly Atom[],
  after: readonly Atom[],
  pair: (a: Atom, b: Atom, why: Evidence) => void,
): void {
  const left = byName(before);
  for (const [name, [atom, ...twins]] of byName(after)) {
    const [only, ...others] = left.get(name) ?? [];
    if (only !== undefined && others.length === 0 && twins.length === 0) pair(only, atom!, 'name');
  }
}

function byName(atoms: readonly Atom[]): Map<string, Atom[]> {
  const found = new Map<string, Atom[]>();
  for (const atom of atoms) {
    if (isNumbered(atom.name)) continue;
    const list = found.get(atom.name);
    if (list === undefined) found.set(atom.name, [atom]);
    else list.push(atom);
  }
  return found;
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
      const list = map.get(key);
      if (list === undefined) map.set(key, [atom]);
      else list.push(atom);
    }
    return map;
  };
  if (left.length === 0 || right.length === 0) return;
  const before = index(original, left);
  for (const [key, after] of index(patched, right)) {
    const candidates = before.get(key) ?? [];
    if (candidates.length === 1 && after.length === 1) pair(candidates[0]!, after[0]!, 'content');
  }
}

/** A digest of what an atom is, free of everything that the compiler may number or place differently. */
export function contentKey(object: UnitObject, atom: Atom): string {
  const bytes = Uint8Array.from(object.bytes(atom));
  const hash = createHash('sha1');
  for (const reference of object.references(atom)) {
    bytes.fill(0, reference.offset, reference.offset + fieldSize(reference.type));
    const what = describeTarget(object, reference.target);
    hash.update(`${reference.offset} ${plainType(reference.type)} ${what}\n`);
  }
  return `${atom.section.type} ${atom.size} ${hash.update(bytes).digest('hex')}`;
}

/** What a function refers to and where, free of the compiler's numbers. */
function shapeKey(object: UnitObject, f: Atom): string {
  const references = object.references(f);
  return `${f.size} ${references.map(({ offset, type, target }) => `${offset} ${plainType(type)} ${describeTarget(object, target)}`).join('\n')}`;
}

/** What a reference means, free of the compiler's numbers. */
function describeTarget(object: UnitObject, target: Target): string {
  if (target.kind === 'symbol') return `${target.symbol.name}+${target.addend}`;
  const { atom } = target;
  if (atom.kind === 'string' || atom.kind === 'constant')
    return `"${Buffer.from(object.bytes(atom)).toString('hex')}"+${target.at}`;
  return `${atom.kind} ${stem(atom.name)}+${target.addend}`;
}

/**
 * Static locals of one name hold the same bytes more often than not (once-flags, lock keys), so content cannot tell them
 * apart; but the functions that use them can: what a function uses under that name before and after is the same one, and
 * where it uses several, the n-th, provided that its code refers to the same things at the same places. In changed code once-flags are told apart by what is
 * used right behind them, their message; where that fails, a fresh one costs nothing. A pair that two functions see differently is dropped.
 * Tables tell in the same way: two literals that hold the same are the n-th and the m-th that a table of the same shape points at.
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
  const vote = (old: Atom, now: Atom): void => {
    votes.set(old, (votes.get(old) ?? new Set()).add(now));
    votesBack.set(now, (votesBack.get(now) ?? new Set()).add(old));
  };
  for (const [f, g] of patchedOf) {
    if (f.kind !== 'function' && f.kind !== 'data') continue;
    const before = variablesByStem(original, f, (atom) => patchedOf.has(atom));
    const after = variablesByStem(patched, g, (atom) => originalOf.has(atom));
    let same: boolean | undefined;
    for (const [key, olds] of before) {
      const news = after.get(key);
      if (news === undefined) continue;
      if (olds.length > 1 || news.length > 1) same ??= shapeKey(original, f) === shapeKey(patched, g);
      if (olds.length === news.length && (olds.length === 1 || same)) {
        for (const [i, old] of olds.entries()) vote(old, news[i]!);
      } else if (isOnceFlag(olds[0]!.name)) {
        const usesNow = usesBehind(patched, g, news);
        for (const [use, old] of usesBehind(original, f, olds)) {
          const now = usesNow.get(use);
          if (old !== undefined && now !== undefined) vote(old, now);
        }
      }
    }
  }
  for (const [old, choices] of votes) {
    const [choice] = choices;
    if (choices.size !== 1 || votesBack.get(choice!)?.size !== 1 || old.size !== choice!.size) continue;
    pair(old, choice!, 'referred to alike');
  }
}

/** Some variables of a function by what it refers to behind them, up to the first text; undefined where two have that in common. */
function usesBehind(object: UnitObject, f: Atom, variables: readonly Atom[]): Map<string, Atom | undefined> {
  const references = object.references(f);
  const found = new Map<string, Atom | undefined>();
  references.forEach(({ target }, i) => {
    if (target.kind !== 'atom' || !variables.includes(target.atom)) return;
    const behind = references.slice(i + 1, i + 7);
    const text = behind.findIndex((each) => each.target.kind === 'atom' && each.target.atom.kind === 'string');
    if (text < 0) return;
    const use = behind
      .slice(0, text + 1)
      .map((each) => describeTarget(object, each.target))
      .join('\n');
    found.set(use, found.has(use) && found.get(use) !== target.atom ? undefined : target.atom);
  });
  return found;
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
