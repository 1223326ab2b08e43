/**
 * Two objects of one unit, original and patched → a verdict for each function, with its cause.
 * A function is unchanged only if its code, the tables about it, its cold part, and all that it reaches without a name are.
 */
import { ET } from '@livegraft/binfmt/elf/constants';
import type { ElfFile } from '@livegraft/binfmt/elf/types';
import { FormatError } from '@livegraft/binfmt/format-error';
import * as sayAuthor from '../diagnostics/author.ts';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/objdiff.ts';
import { type AuthorEntries, isNamed, readAuthorEntries } from '../support/author.ts';
import { type Atom, cutObject, type UnitObject } from './atoms.ts';
import { Comparison, type Difference, type Side } from './compare.ts';
import { type Correlation, correlate, isGlobal } from './correlate.ts';
import { settleData } from './data.ts';
import { LineShift } from './line-numbers.ts';
import { coldParent } from './names.ts';
import { ObjectError } from './object-error.ts';
import { entriesOf } from './special.ts';
import { onceFindings, registryFindings, unnamedFindings } from './unseen.ts';

export type Verdict = 'unchanged' | 'changed' | 'new' | 'removed';

export interface FunctionVerdict {
  readonly name: string;
  readonly verdict: Verdict;
  readonly original?: Atom;
  readonly patched?: Atom;
  /** Why it is not unchanged: its own first difference, or its cold part's. */
  readonly why?: Cause;
  /** Changed only because the patch says so (LIVEGRAFT_INCLUDE): its reason. */
  readonly forced?: string;
  /** Unchanged only because the patch says so (LIVEGRAFT_IGNORE). */
  readonly ignored?: true;
}

export interface Cause {
  readonly difference: Difference;
  /** The part of the function that differs, when it is not the function's own code: `f.cold`. */
  readonly part?: string;
}

export interface Diff {
  /** The unit's name in messages. */
  readonly unit: string;
  readonly original: Side;
  readonly patched: Side;
  readonly correlation: Correlation;
  readonly comparison: Comparison;
  readonly functions: readonly FunctionVerdict[];
  /** What the patch says by livegraft.h. */
  readonly author: AuthorEntries;
  /** Of severity `error` where the change cannot be carried by a live patch. */
  readonly findings: readonly Diagnostic[];
}

export interface DiffOptions {
  /** Whether the patched source had #line marks: if not, numbers in code that look like moved lines are no change (default: true). */
  readonly marked?: boolean;
}

/** Compares two relocatable objects of the same unit. Throws LivegraftError when they are not comparable at all. */
export function diffObjects(unit: string, before: ElfFile, after: ElfFile, { marked = true }: DiffOptions = {}): Diff {
  const other = [before, after].find(({ type }) => type !== ET.REL);
  if (other !== undefined) throw new LivegraftError(say.notAnObject({ unit, type: other.type }));
  if (before.machine !== after.machine || before.type !== after.type) {
    throw new LivegraftError(
      say.objectsDiffer({
        unit,
        what: `machine ${before.machine} and ${after.machine}, type ${before.type} and ${after.type}`,
      }),
    );
  }
  const author = readAuthor(unit, before, after);
  const original = openSide(unit, before);
  const patched = openSide(unit, after);
  const named = correlate(original.object, patched.object);
  // a function that ftrace cannot reach is replaced by way of its callers: it counts as new, and they as changed
  const unreachable = new Set<Atom>();
  const lines = new LineShift(original, patched, named, { code: !marked });
  let settled = settle(unit, original, patched, named, lines, author);
  for (
    let more = beyondFtrace(original, settled.functions);
    more.length > 0;
    more = beyondFtrace(original, settled.functions)
  ) {
    for (const atom of more) unreachable.add(atom);
    settled = settle(unit, original, patched, without(named, unreachable), lines, author);
  }
  const { correlation, comparison, functions, findings: dataFindings } = settled;
  const findings = [
    ...dataFindings,
    ...authorFindings(unit, author, original, functions, settled.ignoredData),
    ...onceFindings(unit, functions, original, patched, comparison),
    ...registryFindings(unit, original, patched, comparison),
    ...unnamedFindings(unit, original, patched, comparison),
  ];
  return { unit, original, patched, correlation, comparison, functions, author, findings };
}

function settle(
  unit: string,
  original: Side,
  patched: Side,
  named: Correlation,
  lines: LineShift,
  author: AuthorEntries,
) {
  const ignored = author.ignored.map(({ name }) => name);
  const { correlation, findings, ignoredData } = settleData(unit, original, patched, named, lines, ignored);
  const comparison = new Comparison(original, patched, correlation, lines);
  const functions = verdicts(original, patched, correlation, comparison).map((f) => asAsked(f, author));
  return { correlation, comparison, findings, ignoredData, functions };
}

/** A verdict after LIVEGRAFT_INCLUDE and LIVEGRAFT_IGNORE. */
function asAsked(verdict: FunctionVerdict, { forced, ignored }: AuthorEntries): FunctionVerdict {
  const { name, original, patched } = verdict;
  if (original === undefined || patched === undefined) return verdict;
  if (verdict.verdict === 'changed' && ignored.some((each) => isNamed(name, each.name)))
    return { name, original, patched, verdict: 'unchanged', ignored: true };
  const wish = verdict.verdict === 'unchanged' ? forced.find((each) => isNamed(name, each.name)) : undefined;
  if (wish !== undefined) return { name, original, patched, verdict: 'changed', forced: wish.reason };
  return verdict;
}

/** What the patch says; the original must say nothing. */
function readAuthor(unit: string, before: ElfFile, after: ElfFile): AuthorEntries {
  try {
    if (readAuthorEntries(before).section !== undefined) throw new LivegraftError(sayAuthor.authorInOriginal({ unit }));
    return readAuthorEntries(after);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new LivegraftError(sayAuthor.authorUnreadable({ unit, what: error.message }));
  }
}

function authorFindings(
  unit: string,
  { forced, ignored }: AuthorEntries,
  original: Side,
  functions: readonly FunctionVerdict[],
  ignoredData: ReadonlySet<string>,
): Diagnostic[] {
  const exists = (name: string, isKind: (atom: Atom) => boolean): boolean =>
    original.object.atoms.some((atom) => isKind(atom) && atom.symbols.some((symbol) => isNamed(symbol.name, name)));
  return [
    ...forced.flatMap(({ name, reason }) => {
      if (reason.trim() === '') return [sayAuthor.includeWithoutReason({ unit, name })];
      if (!exists(name, ({ kind }) => kind === 'function'))
        return [sayAuthor.authorNameUnknown({ unit, name, macro: 'LIVEGRAFT_INCLUDE', what: 'function' })];
      return functions.some((f) => f.forced !== undefined && isNamed(f.name, name))
        ? [sayAuthor.functionForced({ unit, name, reason })]
        : [];
    }),
    ...ignored.flatMap(({ name, reason }) => {
      if (reason.trim() === '') return [sayAuthor.ignoreWithoutReason({ unit, name })];
      if (!exists(name, ({ kind }) => kind === 'function' || kind === 'data'))
        return [sayAuthor.authorNameUnknown({ unit, name, macro: 'LIVEGRAFT_IGNORE', what: 'function or variable' })];
      const isUsed =
        functions.some((f) => f.ignored === true && isNamed(f.name, name)) ||
        [...ignoredData].some((each) => isNamed(each, name));
      return [isUsed ? sayAuthor.changeIgnored({ unit, name, reason }) : sayAuthor.ignoreNeedless({ unit, name })];
    }),
  ];
}

/** Changed functions that only this unit knows, and that were compiled without an ftrace entry (`inline`, notrace, noinstr). */
function beyondFtrace(side: Side, functions: readonly FunctionVerdict[]): Atom[] {
  const { elf } = side.object;
  if (!elf.sections.some((section) => section.name === '__mcount_loc' && section.size > 0)) return [];
  return functions
    .filter((f) => f.verdict === 'changed' && f.original!.role === 'text' && !isGlobal(f.original!))
    .map((f) => f.original!)
    .filter((atom) => !hasFtraceEntry(side, atom));
}

/** By the table, or by the call itself, where the table is made later. */
function hasFtraceEntry({ object, entries }: Side, atom: Atom): boolean {
  if ((entries.get(atom) ?? []).some((entry) => entry.table === '__mcount_loc')) return true;
  const [first] = object.references(atom);
  return first?.target.kind === 'symbol' && first.target.symbol.name === '__fentry__';
}

function without({ patchedOf, originalOf, evidence }: Correlation, unreachable: ReadonlySet<Atom>): Correlation {
  return {
    patchedOf: new Map([...patchedOf].filter(([atom]) => !unreachable.has(atom))),
    originalOf: new Map([...originalOf].filter(([, atom]) => !unreachable.has(atom))),
    evidence,
  };
}

function openSide(unit: string, elf: ElfFile): Side {
  const object = openObject(unit, elf);
  return inObject(unit, () => ({ object, entries: entriesOf(object) }));
}

/** An object cut into atoms. Throws `table-unreadable` when its parts contradict each other. */
export function openObject(unit: string, elf: ElfFile): UnitObject {
  return inObject(unit, () => cutObject(elf));
}

function inObject<T>(unit: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ObjectError) throw new LivegraftError(say.tableUnreadable({ unit, what: error.message }));
    throw error;
  }
}

/** The split-off part of each function, by the function's name. */
function coldParts(side: Side): ReadonlyMap<string, Atom> {
  const found = new Map<string, Atom>();
  const functions = new Set(side.object.atoms.filter((atom) => atom.kind === 'function').map((atom) => atom.name));
  for (const atom of side.object.atoms) {
    const parent = atom.kind === 'function' ? coldParent(atom.name) : undefined;
    // without its function it is one itself
    if (parent !== undefined && functions.has(parent)) found.set(parent, atom);
  }
  return found;
}

function verdicts(original: Side, patched: Side, correlation: Correlation, comparison: Comparison): FunctionVerdict[] {
  const coldBefore = coldParts(original);
  const coldAfter = coldParts(patched);
  const parts = new Set([...coldBefore.values(), ...coldAfter.values()]);
  const isFunction = (atom: Atom): boolean => atom.kind === 'function' && !parts.has(atom);
  const list: FunctionVerdict[] = [];
  for (const after of patched.object.atoms.filter(isFunction)) {
    const before = correlation.originalOf.get(after);
    if (before === undefined) {
      list.push({ name: after.name, verdict: 'new', patched: after });
      continue;
    }
    const both = { name: after.name, original: before, patched: after };
    const own = comparison.difference(before, after);
    if (own !== undefined) {
      list.push({ ...both, verdict: 'changed', why: { difference: own } });
      continue;
    }
    const left = coldBefore.get(before.name);
    const right = coldAfter.get(after.name);
    const cold =
      left !== undefined && right !== undefined
        ? comparison.difference(left, right)
        : left !== right
          ? ({ what: 'size', offset: 0 } as const)
          : undefined;
    if (cold === undefined) list.push({ ...both, verdict: 'unchanged' });
    else list.push({ ...both, verdict: 'changed', why: { difference: cold, part: (right ?? left!).name } });
  }
  for (const before of original.object.atoms.filter(isFunction)) {
    if (!correlation.patchedOf.has(before)) list.push({ name: before.name, verdict: 'removed', original: before });
  }
  return list;
}
