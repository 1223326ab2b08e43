/**
 * Which differences between two objects are line numbers and nothing else. A patch that adds lines shifts `__LINE__` in everything
 * below; objects compiled without #line marks (`patch/lines.ts`) show it in BUG entries, in calls that pass a file and a line, in
 * texts that name both, and in UBSAN's source locations. Each is known by what stands beside it: the name of a source file, or `__func__`.
 * A number is taken for a shifted line only if it moved as the lines around it did.
 */
import type { Atom, Reference, UnitObject } from './atoms.ts';
import type { Correlation } from './correlate.ts';
import { immediatesBehind } from './instructions.ts';
import { stem } from './names.ts';
import type { Entry } from './special.ts';

/** A line number in an object. */
export interface Line {
  /** Offset of the field in its atom or entry, and its size, bytes. */
  readonly offset: number;
  readonly size: 2 | 4;
  readonly value: number;
  /** The source file named beside it; undefined where only the function is named. */
  readonly file: string | undefined;
}

interface Side {
  readonly object: UnitObject;
  readonly entries: ReadonlyMap<Atom, readonly Entry[]>;
}

/** How the lines of each source file moved, as far as the two objects show it. */
export class LineShift {
  readonly #before = new Map<Atom, readonly Line[]>();
  readonly #after = new Map<Atom, readonly Line[]>();
  readonly #original: UnitObject;
  readonly #patched: UnitObject;
  /** By file: the lines that both objects name, by rising number in the original, rising in the patched one too. */
  readonly #known: ReadonlyMap<string, readonly (readonly [number, number])[]>;

  /** Whether numbers in code and in texts are looked at too, where only what stands beside them says that they are lines. */
  readonly #code: boolean;

  constructor(original: Side, patched: Side, correlation: Correlation, { code }: { readonly code: boolean }) {
    this.#code = code;
    this.#original = original.object;
    this.#patched = patched.object;
    const moves = new Map<string, [number, number][]>();
    for (const [a, b] of correlation.patchedOf) {
      if (a.kind !== 'function' || a.size !== b.size) continue;
      const left = (original.entries.get(a) ?? []).flatMap(lineOfEntry);
      const right = (patched.entries.get(b) ?? []).flatMap(lineOfEntry);
      if (left.length !== right.length) continue;
      left.forEach(({ file, value }, i) => {
        if (file === undefined || right[i]!.file !== file) return;
        const list = moves.get(file);
        if (list === undefined) moves.set(file, [[value, right[i]!.value]]);
        else list.push([value, right[i]!.value]);
      });
    }
    this.#known = new Map([...moves].map(([file, list]) => [file, longestRise(list)]));
  }

  /** The pairs of fields in two atoms that hold the same line, moved; empty when the atoms hold different sorts of fields. */
  linesOf(a: Atom, b: Atom): readonly { readonly offset: number; readonly size: number }[] {
    const left = this.#lines(this.#before, this.#original, a);
    const right = this.#lines(this.#after, this.#patched, b);
    return left.filter((line) => {
      const other = right.find((each) => each.offset === line.offset && each.size === line.size);
      return other !== undefined && this.moved(line, other);
    });
  }

  /** True when the one may be the other after a shift that fits what is known of the file. */
  moved(before: Line, after: Line): boolean {
    if (before.file !== after.file) return false;
    const known =
      before.file === undefined
        ? [...this.#known.values()].sort((x, y) => y.length - x.length)[0]
        : this.#known.get(before.file);
    if (known === undefined || known.length === 0) return before.file !== undefined || before.value === after.value;
    const below = known.findLast(([line]) => line <= before.value);
    const above = known.find(([line]) => line >= before.value);
    if (below !== undefined && (below[0] === before.value ? below[1] !== after.value : below[1] >= after.value))
      return false;
    if (above !== undefined && (above[0] === before.value ? above[1] !== after.value : above[1] <= after.value))
      return false;
    if (before.file !== undefined) return true;
    // beside __func__ a number may be anything: it must have moved exactly as the lines around it
    const shift = after.value - before.value;
    return (
      (below === undefined || below[1] - below[0] === shift) && (above === undefined || above[1] - above[0] === shift)
    );
  }

  /** True when two literal strings differ only in lines that moved: `at fs/aio.c:123` (FORTIFY_SOURCE's warnings). */
  sameText(before: Uint8Array, after: Uint8Array): boolean {
    if (!this.#code) return false;
    const left = splitText(before);
    const right = splitText(after);
    return (
      left.rest === right.rest &&
      left.lines.length === right.lines.length &&
      left.lines.every((line, i) => this.moved(line, right.lines[i]!))
    );
  }

  #lines(known: Map<Atom, readonly Line[]>, object: UnitObject, atom: Atom): readonly Line[] {
    const found = known.get(atom);
    if (found !== undefined) return found;
    const made =
      atom.kind === 'function'
        ? linesInCode(object, atom)
        : isSourceLocation(atom)
          ? linesInLocation(object, atom)
          : [];
    known.set(atom, made);
    return made;
  }
}

/** The line that an entry of `__bug_table` has behind the name of the file (struct bug_entry, include/asm-generic/bug.h). */
export function lineOfEntry({ table, bytes, references }: Entry): Line[] {
  if (table !== '__bug_table') return [];
  const name = references.findLast((reference) => fileName(reference) !== undefined);
  if (name === undefined) return [];
  const offset = name.offset + (name.type === 1 ? 8 : 4);
  const value = bytes[offset]! | (bytes[offset + 1]! << 8);
  return [{ offset, size: 2, value, file: fileName(name)! }];
}

/** UBSAN's `struct source_location {const char *file; u32 line; u32 column}` leads its data (lib/ubsan.h). */
export function isSourceLocation({ section }: Atom): boolean {
  return /^\.data\.\.?Lubsan_data\d+$/.test(section.name);
}

function linesInLocation(object: UnitObject, atom: Atom): Line[] {
  const [first] = object.references(atom);
  const file = first?.offset === 0 ? fileName(first) : undefined;
  if (file === undefined || atom.size < 12) return [];
  const bytes = object.bytes(atom);
  return [{ offset: 8, size: 4, value: new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true), file }];
}

function linesInCode(object: UnitObject, atom: Atom): Line[] {
  const names = new Map<number, string | undefined>();
  for (const reference of object.references(atom)) {
    const file = fileName(reference);
    if (file !== undefined || isFunctionName(reference)) names.set(atom.start + reference.offset, file);
  }
  if (names.size === 0) return [];
  const bytes = object.bytes(atom);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const immediates = immediatesBehind(atom.section, atom, (field) => names.has(field));
  return [...immediates].map(([field, name]) => ({
    offset: field - atom.start,
    size: 4,
    value: view.getUint32(field - atom.start, true),
    file: names.get(name),
  }));
}

/** The path that a reference to a literal string names, if it is one of C source. */
function fileName({ target }: Reference): string | undefined {
  if (target.kind !== 'atom' || target.atom.kind !== 'string') return undefined;
  // the whole string: before Linux 6.0 the field in a BUG entry counts from the entry's beginning
  const { section, start, size } = target.atom;
  const text = Buffer.from(section.data.subarray(start, start + size - 1)).toString('latin1');
  return /^[\w./+-]+\.[ch]$/.test(text) ? text : undefined;
}

function isFunctionName({ target }: Reference): boolean {
  return target.kind === 'atom' && target.at === 0 && /^(?:.+\.)?(__func__|__FUNCTION__)$/.test(stem(target.atom.name));
}

/** A string without the lines that it names, and those. */
function splitText(bytes: Uint8Array): { readonly rest: string; readonly lines: readonly Line[] } {
  const lines: Line[] = [];
  const rest = Buffer.from(bytes)
    .toString('latin1')
    .replace(/([\w./+-]+\.[ch]):(\d+)/g, (_, file: string, line: string, offset: number) => {
      lines.push({ offset, size: 4, value: Number(line), file });
      return `${file}:`;
    });
  return { rest, lines };
}

/** The longest part of the pairs that rises on both sides; those that do not fit belong to code that was moved or changed. */
function longestRise(pairs: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const sorted = [...new Map(pairs.map((pair) => [pair.join(), pair])).values()].sort(
    (a, b) => a[0] - b[0] || b[1] - a[1],
  );
  const tails: number[] = [];
  const previous: number[] = [];
  sorted.forEach(([, after], i) => {
    let low = 0;
    for (let high = tails.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (sorted[tails[middle]!]![1] < after) low = middle + 1;
      else high = middle;
    }
    previous[i] = low > 0 ? tails[low - 1]! : -1;
    tails[low] = i;
  });
  const rise: (readonly [number, number])[] = [];
  for (let i = tails.at(-1) ?? -1; i >= 0; i = previous[i]!) rise.push(sorted[i]!);
  return rise.reverse();
}
