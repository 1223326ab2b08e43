/** The first place where two versions of a function part ways, disassembled on both sides. */
import type { Atom, UnitObject } from '../atoms.ts';
import { mask, type Side } from '../compare.ts';
import type { FunctionVerdict } from '../diff.ts';
import type { Entry } from '../special.ts';
import type { Context, Divergence } from './context.ts';
import { formatInstruction, type Instruction, instructionsOf } from './listing.ts';
import { nameAtom, nameTarget } from './names.ts';

export interface ShownInstruction {
  /** Byte offset in the function (or its part). */
  readonly offset: number;
  /** As they stand in the object, hex. */
  readonly bytes: string;
  readonly text: string;
  /** Absent where the other side has the same. */
  readonly differs?: true;
}

export interface FirstDifference {
  /** The function, or its part (`f.cold`), in the original object. */
  readonly name: string;
  readonly offset: number;
  readonly original: readonly ShownInstruction[];
  readonly patched: readonly ShownInstruction[];
  /** The code is the same; this about it is not: an entry in a table, or data that it refers to. */
  readonly beside?: { readonly name: string; readonly original: string; readonly patched: string };
}

/** Instructions shown before and behind the one that differs. */
const before = 2;
const behind = 1;

/** Undefined for functions that are not in both objects, or that differ in nothing that can be shown (another section). */
export function firstDifference(
  context: Context,
  verdict: FunctionVerdict,
  divergence: Divergence | undefined,
): FirstDifference | undefined {
  const { original, patched } = context.diff;
  if (divergence !== undefined) {
    const { original: a, patched: b, left, right, index } = divergence;
    const last = Math.min(left.length, right.length) - 1;
    const list = {
      original: listing(original.object, a, left, index),
      patched: listing(patched.object, b, right, index),
    };
    const beside = dataDifference(context, divergence);
    return {
      name: a.name,
      offset: (left[index] ?? right[index] ?? left[last])!.offset,
      ...markDifferent(list, (left[index] ?? right[index])!.offset),
      ...(beside === undefined ? {} : { beside }),
    };
  }
  const { original: a, patched: b, why } = verdict;
  if (a === undefined || b === undefined || why?.difference.what !== 'table') return undefined;
  const { table, offset } = why.difference;
  const one = why.part === undefined ? b : context.after(why.part);
  const other = one && context.diff.correlation.originalOf.get(one);
  if (one === undefined || other === undefined) return undefined;
  const [left, right] = [instructionsOf(original.object, other), instructionsOf(patched.object, one)];
  return {
    name: other.name,
    offset,
    original: listing(original.object, other, left, indexOf(left, offset)),
    patched: listing(patched.object, one, right, indexOf(right, offset)),
    beside: {
      name: table,
      original: entriesAt(original, other, table, offset),
      patched: entriesAt(patched, one, table, offset),
    },
  };
}

function indexOf(list: readonly Instruction[], offset: number): number {
  const found = list.findIndex((each) => offset < each.offset + each.size);
  return found < 0 ? Math.max(0, list.length - 1) : found;
}

function listing(object: UnitObject, atom: Atom, list: readonly Instruction[], index: number): ShownInstruction[] {
  return list.slice(Math.max(0, index - before), index + 1 + behind).map((each) => ({
    offset: each.offset,
    bytes: Buffer.from(object.bytes(atom).subarray(each.offset, each.offset + each.size)).toString('hex'),
    text: formatInstruction(object, atom, each),
  }));
}

/** From `start` on both sides count as different, until a line is the same again. */
function markDifferent(
  { original, patched }: { original: readonly ShownInstruction[]; patched: readonly ShownInstruction[] },
  start: number,
): { original: readonly ShownInstruction[]; patched: readonly ShownInstruction[] } {
  const marked = (own: readonly ShownInstruction[], other: readonly ShownInstruction[]) =>
    own.map((each) => {
      const again =
        each.offset > start && other.some(({ offset, text }) => offset === each.offset && text === each.text);
      return each.offset < start || again ? each : { ...each, differs: true as const };
    });
  return { original: marked(original, patched), patched: marked(patched, original) };
}

/** What the referred data holds at the first place that differs, where the instruction itself does not show it. */
function dataDifference(
  { diff, comparison }: Context,
  { left, right, index }: Divergence,
): FirstDifference['beside'] | undefined {
  const [one, other] = [left[index], right[index]];
  for (const [i, reference] of (one?.references ?? []).entries()) {
    const [a, b] = [reference.target, other?.references[i]?.target];
    if (a.kind !== 'atom' || b?.kind !== 'atom' || a.atom.kind === 'function' || a.atom.kind === 'string') continue;
    if (b.atom.kind !== a.atom.kind || comparison.sameTarget(a, b)) continue;
    const difference = comparison.difference(a.atom, b.atom);
    if (difference === undefined || difference.what === 'section') continue;
    const { offset } = difference;
    return {
      name: `${nameAtom(diff.original.object, a.atom)}+0x${offset.toString(16)}`,
      original: contentAt(diff.original.object, a.atom, offset),
      patched: contentAt(diff.patched.object, b.atom, offset),
    };
  }
  return undefined;
}

/** What a variable holds at an offset: what is pointed to, or up to 8 bytes. */
function contentAt(object: UnitObject, atom: Atom, offset: number): string {
  const reference = object.references(atom).find((each) => each.offset === offset);
  if (reference !== undefined) return nameTarget(object, reference.target);
  const bytes = object.bytes(atom).subarray(offset, offset + 8);
  return bytes.length === 0
    ? 'nothing'
    : Buffer.from(bytes)
        .toString('hex')
        .replace(/..(?!$)/g, '$& ');
}

/** The entries of one table about one place, in words. */
function entriesAt(side: Side, atom: Atom, table: string, at: number): string {
  const entries = (side.entries.get(atom) ?? []).filter((entry) => entry.table === table && entry.at === at);
  return entries.length === 0 ? 'none' : entries.map((entry) => describeEntry(side.object, entry)).join('; ');
}

/** `f+0x4c, 03000000`: what the entry refers to behind the place it is about, then its other bytes. */
function describeEntry(object: UnitObject, entry: Entry): string {
  const targets = entry.references.slice(1).map(({ target }) => {
    if (target.kind === 'atom' && target.atom.kind === 'string') return nameAtom(object, target.atom);
    const isCode = target.kind === 'atom' && target.atom.kind === 'fragment';
    const content = isCode ? ` (${Buffer.from(object.bytes(target.atom)).toString('hex')})` : '';
    return nameTarget(object, target) + content;
  });
  return [...targets, ...plainBytes(entry)].join(', ');
}

function plainBytes(entry: Entry): string[] {
  const masked = mask(entry.bytes, entry.references);
  // struct bug_entry with file and line (include/asm-generic/bug.h)
  if (entry.table === '__bug_table' && masked.length === 12) {
    const view = new DataView(masked.buffer, masked.byteOffset);
    return [`line ${view.getUint16(8, true)}`, `flags 0x${view.getUint16(10, true).toString(16)}`];
  }
  const plain = Buffer.from(masked)
    .toString('hex')
    .replace(/^(00)+(?=..)/, '');
  return /^(00)*$/.test(plain) ? [] : [plain];
}
