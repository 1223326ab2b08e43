/**
 * Two objects of one unit, original and patched → a verdict for each function, with its cause.
 * A function is unchanged only if its code, the tables about it, its cold part, and all that it reaches without a name are.
 */
import { SHF } from '@livegraft/binfmt/elf/constants';
import type { ElfFile, ElfSection } from '@livegraft/binfmt/elf/types';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/objdiff.ts';
import { type Atom, cutObject, within } from './atoms.ts';
import { Comparison, type Difference, mask, type Side } from './compare.ts';
import { type Correlation, correlate, isGlobal } from './correlate.ts';
import { coldParent, isContentOnly, stem } from './names.ts';
import { roleOf } from './sections.ts';
import { entriesOf, TableError } from './special.ts';

export type Verdict = 'unchanged' | 'changed' | 'new' | 'removed';

export interface FunctionVerdict {
  readonly name: string;
  readonly verdict: Verdict;
  readonly original?: Atom;
  readonly patched?: Atom;
  /** Why it is not unchanged: its own first difference, or its cold part's. */
  readonly why?: Cause;
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
  readonly functions: readonly FunctionVerdict[];
  /** Of severity `error` where the change cannot be carried by a live patch. */
  readonly findings: readonly Diagnostic[];
}

/** Compares two relocatable objects of the same unit. Throws LivegraftError when they are not comparable at all. */
export function diffObjects(unit: string, before: ElfFile, after: ElfFile): Diff {
  if (before.machine !== after.machine || before.type !== after.type) {
    throw new LivegraftError(say.objectsDiffer({ unit, what: `machine ${before.machine} and ${after.machine}, type ${before.type} and ${after.type}` }));
  }
  const original = openSide(unit, before);
  const patched = openSide(unit, after);
  const named = correlate(original.object, patched.object);
  const { correlation, findings: dataFindings } = settleData(unit, original, patched, named);
  const comparison = new Comparison(original, patched, correlation);

  const functions = verdicts(original, patched, correlation, comparison);
  const findings = [
    ...dataFindings,
    ...onceFindings(unit, functions),
    ...registryFindings(unit, original, patched, comparison),
  ];
  return { unit, original, patched, correlation, functions, findings };
}

function openSide(unit: string, elf: ElfFile): Side {
  const object = cutObject(elf);
  try {
    return { object, entries: entriesOf(object) };
  } catch (error) {
    if (error instanceof TableError) throw new LivegraftError(say.tableUnreadable({ unit, what: error.message }));
    throw error;
  }
}

function verdicts(original: Side, patched: Side, correlation: Correlation, comparison: Comparison): FunctionVerdict[] {
  const isFunction = (atom: Atom): boolean => atom.kind === 'function' && coldParent(atom.name) === undefined;
  const coldOf = (side: Side, name: string): Atom | undefined =>
    side.object.atoms.find((atom) => atom.kind === 'function' && coldParent(atom.name) === name);
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
    const coldBefore = coldOf(original, before.name);
    const coldAfter = coldOf(patched, after.name);
    const cold =
      coldBefore !== undefined && coldAfter !== undefined
        ? comparison.difference(coldBefore, coldAfter)
        : coldBefore !== coldAfter
          ? ({ what: 'size', offset: 0 } as const)
          : undefined;
    if (cold === undefined) list.push({ ...both, verdict: 'unchanged' });
    else list.push({ ...both, verdict: 'changed', why: { difference: cold, part: (coldAfter ?? coldBefore!).name } });
  }
  for (const before of original.object.atoms.filter(isFunction)) {
    if (!correlation.patchedOf.has(before)) list.push({ name: before.name, verdict: 'removed', original: before });
  }
  return list;
}

/**
 * Existing variables must be as they were. A changed constant that only this unit knows is taken apart from its old self:
 * the functions that use it then count as changed and bring the new one along, all of them or none.
 */
function settleData(unit: string, original: Side, patched: Side, named: Correlation): { correlation: Correlation; findings: Diagnostic[] } {
  const patchedOf = new Map(named.patchedOf);
  const originalOf = new Map(named.originalOf);
  const correlation: Correlation = { patchedOf, originalOf, evidence: named.evidence };
  const findings: Diagnostic[] = [];
  const reported = new Set<Atom>();
  for (let again = true; again; ) {
    again = false;
    const comparison = new Comparison(original, patched, correlation);
    for (const [a, b] of patchedOf) {
      if (a.kind !== 'data' || (a.role !== 'data' && a.role !== 'rodata') || isContentOnly(a.name) || reported.has(b)) continue;
      const difference = comparison.difference(a, b);
      if (difference === undefined) continue;
      if (a.role === 'rodata' && b.role === 'rodata' && !isGlobal(a) && !isGlobal(b)) {
        patchedOf.delete(a);
        originalOf.delete(b);
        again = true;
        continue;
      }
      reported.add(b);
      findings.push(say.dataChanged({ unit, name: b.name, section: b.section.name, what: describe(original, patched, a, b, difference) }));
    }
  }
  return { correlation, findings: [...findings, ...lostState(unit, original, patched, correlation)] };
}

/** Variables of the patched object that look like ones of the original but could not be told apart. */
function lostState(unit: string, original: Side, patched: Side, correlation: Correlation): Diagnostic[] {
  const orphans = new Set(
    original.object.atoms.filter((atom) => atom.role === 'data' && atom.kind === 'data' && !correlation.patchedOf.has(atom)).map((atom) => stem(atom.name)),
  );
  return patched.object.atoms
    .filter((atom) => atom.role === 'data' && atom.kind === 'data' && atom.size > 0 && !correlation.originalOf.has(atom) && orphans.has(stem(atom.name)))
    .map((atom) => (/^(__already_done|__warned|__print_once|_rs|__ret_once|__once_done|___done|__flags|___once_key|__UNIQUE_ID_ddebug|descriptor|__key)(\.|\d|$)/.test(atom.name)
      ? say.onceFlagRestarts({ unit, name: atom.name })
      : say.stateLost({ unit, name: atom.name })));
}

function describe(original: Side, patched: Side, a: Atom, b: Atom, difference: Difference): string {
  if (a.section.type !== b.section.type || a.section.flags !== b.section.flags) return `it moves from ${a.section.name} to ${b.section.name}`;
  if (a.size !== b.size) return `its size goes from ${a.size} to ${b.size} bytes`;
  if (difference.what === 'bytes') {
    const value = (side: Side, atom: Atom): string => {
      const from = difference.offset & ~7;
      return Buffer.from(side.object.bytes(atom).subarray(from, from + 8)).toString('hex');
    };
    return `its initial value differs at byte ${difference.offset}: ${value(original, a)} becomes ${value(patched, b)}`;
  }
  return `what it points to differs at byte ${difference.offset}`;
}

function onceFindings(unit: string, functions: readonly FunctionVerdict[]): Diagnostic[] {
  return functions
    .filter((f) => f.verdict !== 'unchanged' && (f.patched ?? f.original)!.role === 'once')
    .map((f) => say.initChanged({ unit, name: f.name }));
}

/** Sections that act by being there must hold what they held, but for notes about the module itself. */
function registryFindings(unit: string, original: Side, patched: Side, comparison: Comparison): Diagnostic[] {
  const byName = (side: Side): Map<string, ElfSection[]> => {
    const found = new Map<string, ElfSection[]>();
    for (const section of side.object.elf.sections) {
      const relevant = roleOf(section) === 'registry' && section.size > 0 && section.name !== '.modinfo' && (section.flags & SHF.ALLOC) !== 0;
      if (relevant) found.set(section.name, [...(found.get(section.name) ?? []), section]);
    }
    return found;
  };
  const before = byName(original);
  const after = byName(patched);
  const findings: Diagnostic[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const left = before.get(name) ?? [];
    const right = after.get(name) ?? [];
    const same = left.length === right.length && left.every((section, i) => sameSection(original, section, patched, right[i]!, comparison));
    if (same) continue;
    const size = (list: readonly ElfSection[]): number => list.reduce((sum, section) => sum + section.size, 0);
    const what = size(left) === size(right) ? 'its content differs' : `${size(left)} bytes before, ${size(right)} after`;
    findings.push(say.registryChanged({ unit, section: name, what }));
  }
  return findings;
}

function sameSection(original: Side, a: ElfSection, patched: Side, b: ElfSection, comparison: Comparison): boolean {
  if (a.size !== b.size || a.relocations.length !== b.relocations.length) return false;
  const references = (side: Side, section: ElfSection) =>
    within(section.relocations, 0, section.size).map((relocation) => ({
      offset: relocation.offset,
      type: relocation.type,
      target: side.object.resolve(section, relocation),
    }));
  const left = references(original, a);
  const right = references(patched, b);
  return (
    Buffer.compare(mask(a.data, left), mask(b.data, right)) === 0 &&
    left.every((reference, i) => reference.offset === right[i]!.offset && comparison.sameTarget(reference.target, right[i]!.target))
  );
}
