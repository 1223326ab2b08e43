/** Says whether two correlated atoms are the same, and if not, where and what differs first. */
import { SHT } from '@livegraft/binfmt/elf/constants';
import type { Atom, AtomTarget, Reference, Target, UnitObject } from './atoms.ts';
import type { Correlation } from './correlate.ts';
import { type LineShift, lineOfEntry } from './line-numbers.ts';
import { isContentOnly } from './names.ts';
import { fieldSize, plainType } from './relocations.ts';
import { family, holdsDescriptors, isSanitizerData } from './sections.ts';
import type { Entry } from './special.ts';

export type Difference =
  | { readonly what: 'bytes' | 'size' | 'section' | 'relocations'; readonly offset: number }
  /** Refers to something else than before. */
  | { readonly what: 'reference'; readonly offset: number; readonly before: Target; readonly after: Target }
  /** The same bytes, but another entry in a table about it. */
  | { readonly what: 'table'; readonly table: string; readonly offset: number };

export interface Side {
  readonly object: UnitObject;
  readonly entries: ReadonlyMap<Atom, readonly Entry[]>;
}

export class Comparison {
  readonly #original: Side;
  readonly #patched: Side;
  readonly correlation: Correlation;
  /**
   * Unnamed pairs that were met since the descent began, taken as equal: one that is not makes all above it differ, so that
   * at the end either all of them are equal or the assumption is dropped with them.
   */
  readonly #assumed = new Set<string>();
  #depth = 0;
  /** What came out at the end of a descent. */
  readonly #known = new Map<string, boolean>();

  /** Line numbers that only moved are no difference. */
  readonly #lines: LineShift;

  constructor(original: Side, patched: Side, correlation: Correlation, lines: LineShift) {
    this.#original = original;
    this.#patched = patched;
    this.correlation = correlation;
    this.#lines = lines;
  }

  /** The first difference between an original atom and the patched one, or undefined when there is none. */
  difference(a: Atom, b: Atom): Difference | undefined {
    if (a.section.type !== b.section.type || a.section.flags !== b.section.flags) return { what: 'section', offset: 0 };
    // code may move freely, but a variable in another section (`.data..percpu`) is accessed in another way
    if (a.kind === 'data' && family(a.section.name) !== family(b.section.name)) return { what: 'section', offset: 0 };
    const code = this.#contentDifference(a, b);
    return code ?? this.#entriesDifference(a, b);
  }

  #contentDifference(a: Atom, b: Atom): Difference | undefined {
    const before = this.#original.object.references(a);
    const after = this.#patched.object.references(b);
    const byte = this.#firstByteDifference(a, before, b, after);
    if (byte !== undefined) return { what: 'bytes', offset: byte };
    if (a.size !== b.size) return { what: 'size', offset: Math.min(a.size, b.size) };
    if (before.length !== after.length)
      return { what: 'relocations', offset: Math.min(before.at(-1)?.offset ?? 0, after.at(-1)?.offset ?? 0) };
    for (let i = 0; i < before.length; i++) {
      const left = before[i]!;
      const right = after[i]!;
      if (left.offset !== right.offset || plainType(left.type) !== plainType(right.type))
        return { what: 'relocations', offset: Math.min(left.offset, right.offset) };
      if (!this.sameTarget(left.target, right.target)) {
        return { what: 'reference', offset: left.offset, before: left.target, after: right.target };
      }
    }
    return undefined;
  }

  #firstByteDifference(
    a: Atom,
    before: readonly Reference[],
    b: Atom,
    after: readonly Reference[],
  ): number | undefined {
    if (a.section.type === SHT.NOBITS) return undefined;
    const left = withoutLine(a, mask(this.#original.object.bytes(a), before));
    const right = withoutLine(b, mask(this.#patched.object.bytes(b), after));
    const first = firstDifference(left, right);
    if (first === undefined || left.length !== right.length) return first;
    for (const { offset, size } of this.#lines.linesOf(a, b)) {
      left.fill(0, offset, offset + size);
      right.fill(0, offset, offset + size);
    }
    return firstDifference(left, right);
  }

  #entriesDifference(a: Atom, b: Atom): Difference | undefined {
    const compared = (entry: Entry): boolean => entry.table !== '.orc_unwind_ip';
    const before = (this.#original.entries.get(a) ?? []).filter(compared);
    const after = (this.#patched.entries.get(b) ?? []).filter(compared);
    for (let i = 0; i < Math.max(before.length, after.length); i++) {
      const left = before[i];
      const right = after[i];
      if (left === undefined || right === undefined || !this.#sameEntry(left, right)) {
        const place = left ?? right!;
        return { what: 'table', table: place.table, offset: place.at };
      }
    }
    return undefined;
  }

  #sameEntry(a: Entry, b: Entry): boolean {
    if (
      a.table !== b.table ||
      a.at !== b.at ||
      a.bytes.length !== b.bytes.length ||
      a.references.length !== b.references.length
    )
      return false;
    const left = mask(a.bytes, a.references);
    const right = mask(b.bytes, b.references);
    const [line] = lineOfEntry(a);
    const [other] = lineOfEntry(b);
    if (line !== undefined && line.offset === other?.offset && this.#lines.moved(line, other)) {
      left.fill(0, line.offset, line.offset + line.size);
      right.fill(0, line.offset, line.offset + line.size);
    }
    if (Buffer.compare(left, right) !== 0) return false;
    return a.references.every((reference, i) => {
      const other = b.references[i]!;
      return (
        reference.offset === other.offset &&
        plainType(reference.type) === plainType(other.type) &&
        this.sameTarget(reference.target, other.target)
      );
    });
  }

  /** True when both refer to the same thing: the same symbol elsewhere, correlated atoms, or equal content without identity. */
  sameTarget(a: Target, b: Target): boolean {
    if (a.kind === 'symbol' || b.kind === 'symbol') {
      // a file-local symbol may have become an undefined one or the other way round: that is another target
      if (a.kind !== b.kind) return false;
      return a.kind === 'symbol' && b.kind === 'symbol' && a.symbol.name === b.symbol.name && a.addend === b.addend;
    }
    return this.#sameAtom(a, b);
  }

  #sameAtom(a: AtomTarget, b: AtomTarget): boolean {
    if (a.atom.kind !== b.atom.kind) return false;
    if (a.atom.kind === 'string' || a.atom.kind === 'constant') {
      // where in it matters too: the code may count from there in both directions
      const left = this.#original.object.bytes(a.atom);
      const right = this.#patched.object.bytes(b.atom);
      if (a.at !== b.at) return false;
      return Buffer.compare(left, right) === 0 || (a.atom.kind === 'string' && this.#lines.sameText(left, right));
    }
    if (a.addend !== b.addend) return false;
    switch (a.atom.kind) {
      case 'unnamed':
      case 'fragment':
        // writable data without a name has an identity: its place
        if (
          a.atom.role === 'data' &&
          !isSanitizerData(a.atom.section) &&
          (a.atom.start !== b.atom.start || a.atom.section.name !== b.atom.section.name)
        )
          return false;
        return this.#sameUnnamed(a.atom, b.atom);
      case 'function':
        return this.correlation.patchedOf.get(a.atom) === b.atom;
      case 'data':
        if (isContentOnly(a.atom) && isContentOnly(b.atom)) return this.#sameUnnamed(a.atom, b.atom);
        if (holdsDescriptors(a.atom.section) && holdsDescriptors(b.atom.section))
          return this.#sameUnnamed(a.atom, b.atom);
        return this.correlation.patchedOf.get(a.atom) === b.atom;
    }
  }

  /** True when an unnamed atom holds what the other one does. */
  sameContent(a: Atom, b: Atom): boolean {
    return this.#sameUnnamed(a, b);
  }

  #sameUnnamed(a: Atom, b: Atom): boolean {
    const key = `${a.id} ${b.id}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#assumed.has(key)) return true;
    // a chain that no compiler makes: not the same is the safe answer
    if (this.#depth > 500) return false;
    this.#assumed.add(key);
    this.#depth++;
    const same = this.difference(a, b) === undefined;
    this.#depth--;
    if (!same) this.#known.set(key, false);
    if (this.#depth === 0) {
      if (same) for (const each of this.#assumed) this.#known.set(each, true);
      this.#assumed.clear();
    }
    return same;
  }
}

/** The bytes with all relocated fields set to zero. */
export function mask(bytes: Uint8Array, references: readonly Reference[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const reference of references) copy.fill(0, reference.offset, reference.offset + fieldSize(reference.type));
  return copy;
}

function firstDifference(left: Uint8Array, right: Uint8Array): number | undefined {
  const common = Math.min(left.length, right.length);
  for (let i = 0; i < common; i++) if (left[i] !== right[i]) return i;
  return undefined;
}

/** struct _ddebug has the line number in 18 bits behind its four pointers (include/linux/dynamic_debug.h): that alone is no change. */
function withoutLine(atom: Atom, bytes: Uint8Array): Uint8Array {
  if (!holdsDescriptors(atom.section) || bytes.length < 36) return bytes;
  bytes[32] = 0;
  bytes[33] = 0;
  bytes[34]! &= 0xfc;
  return bytes;
}
