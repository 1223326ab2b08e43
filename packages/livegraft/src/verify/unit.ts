/** One compiled unit of the patch with all that the checker knows of it: what the patch meant, what there was, where that is. */
import { SHF } from '@livegraft/binfmt/elf/constants';
import type { ElfRelocation } from '@livegraft/binfmt/elf/types';
import { FormatError } from '@livegraft/binfmt/format-error';
import { type AuthorEntries, isNamed as isNamedBySource, readAuthorEntries } from '../support/author.ts';
import { decode, type Operand } from './decode.ts';
import type { ShippedKernel } from './kernel.ts';
import { type Item, isNumbered, isPcRelative, type Meaning, plainName, UnitFile, widthOf } from './object.ts';
import { UnitPlaces } from './places.ts';

export interface VerifyUnit {
  readonly source: string;
  /** klp object. */
  readonly object: string;
  /** The rebuilt original with the shipped flags. */
  readonly proof: Uint8Array;
  readonly original: Uint8Array;
  readonly patched: Uint8Array;
}

export class CheckedUnit {
  readonly source: string;
  readonly object: string;
  readonly proof: UnitFile;
  readonly original: UnitFile;
  readonly patched: UnitFile;
  /** What the patch says by livegraft.h. */
  readonly author: AuthorEntries;
  /** Functions of the patched object that the module puts in the place of others. */
  readonly replaced = new Set<Item>();
  readonly #kernel: ShippedKernel;
  #places: UnitPlaces | undefined;
  #detoured: ReadonlySet<Item> | undefined;
  readonly #same = new Map<Item, boolean>();

  constructor({ source, object, proof, original, patched }: VerifyUnit, kernel: ShippedKernel) {
    this.source = source;
    this.object = object;
    this.proof = new UnitFile(proof);
    this.original = new UnitFile(original);
    this.patched = new UnitFile(patched);
    this.author = readAuthorEntries(this.patched.elf);
    this.#kernel = kernel;
  }

  /** Where its things are in the shipped code; worked out when it is first asked for. */
  get places(): UnitPlaces {
    const shipped = this.#kernel.object(this.object);
    if (shipped === undefined)
      throw new FormatError(
        'verify-module',
        `${this.object}, which ${this.source} belongs to, is not among the modules`,
      );
    this.#places ??= new UnitPlaces(this.proof, shipped, this.#kernel);
    return this.#places;
  }

  /** What the shipped code said twice and differently, as far as it was asked. */
  get contradictions(): readonly string[] {
    return this.#places?.contradictions ?? [];
  }

  /** What the original defines by the very name of a thing of the patched object; a name that the compiler numbered says nothing. */
  before(item: Item): Item | undefined {
    for (const { name } of item.symbols) {
      const old = isNumbered(name) ? undefined : this.original.named(name);
      if (old !== undefined && old.kind === item.kind) return old;
    }
    return undefined;
  }

  /**
   * Functions that do not do what they did, and that nothing can redirect (no ftrace entry): the module has a new one beside the
   * old, and whoever refers to it must be replaced or go the same way.
   */
  get detoured(): ReadonlySet<Item> {
    if (this.#detoured !== undefined) return this.#detoured;
    const old = this.#functions().filter((item) => this.before(item) !== undefined && !this.replaced.has(item));
    const changed = old.filter((item) => !this.unchanged(item, this.before(item)!));
    const found = new Set(changed.filter((item) => this.#beyondFtrace(item)));
    for (let more = found.size > 0; more; ) {
      const next = old.filter((item) => !found.has(item) && this.#refersTo(item, found) && this.#beyondFtrace(item));
      for (const item of next) found.add(item);
      more = next.length > 0;
    }
    this.#detoured = found;
    return found;
  }

  /** Functions that do not do what they did, and that nothing puts into the running kernel. */
  forgotten(): readonly Item[] {
    return this.#functions().filter((item) => {
      if (this.replaced.has(item) || this.detoured.has(item)) return false;
      const parent = this.patched.named(item.name.replace(/\.cold$/, ''));
      if (parent !== undefined && (this.replaced.has(parent) || this.detoured.has(parent))) return false;
      const old = this.before(item);
      return old !== undefined && (!this.unchanged(item, old) || this.#refersTo(item, this.detoured));
    });
  }

  #functions(): Item[] {
    const items = new Set(this.patched.symbols.map(({ name }) => this.patched.named(name)!));
    return [...items].filter((item) => item.kind === 'function');
  }

  #beyondFtrace(item: Item): boolean {
    if (/\.cold$/.test(item.name) || /^\.(init|exit)\./.test(item.section.name)) return false;
    const place = this.places.defined(item.name);
    return place !== undefined && !(this.#kernel.object(place.object)?.traceable(place.address) ?? true);
  }

  #refersTo(item: Item, targets: ReadonlySet<Item>): boolean {
    if (targets.size === 0) return false;
    const content = new Content(this.patched, item);
    return content.fields.some((field) => {
      const meaning = content.meaning(field);
      return meaning.kind === 'item' && targets.has(meaning.item);
    });
  }

  /** True when a thing of the patched object has the bytes of its original and refers to things of the same names and contents. */
  unchanged(item: Item, old: Item): boolean {
    const known = this.#same.get(item);
    if (known !== undefined) return known;
    // a change that the patch leaves out: the code stays, and a variable that has room for the same keeps its value
    const isIgnored = this.author.ignored.some(({ name }) =>
      item.symbols.some((symbol) => isNamedBySource(symbol.name, name)),
    );
    if (isIgnored && (item.kind === 'function' || item.size === old.size)) return true;
    // against circles: what is being compared counts as equal
    this.#same.set(item, true);
    const same = sameContent(this.patched, item, this.original, old);
    this.#same.set(item, same);
    return same;
  }
}

/** Equal bytes outside of relocated fields, and fields about the same, as far as names and contents tell. */
function sameContent(file: UnitFile, item: Item, otherFile: UnitFile, other: Item): boolean {
  if (item.size !== other.size || (item.section.flags & SHF.WRITE) !== (other.section.flags & SHF.WRITE)) return false;
  const here = new Content(file, item);
  const there = new Content(otherFile, other);
  if (Buffer.compare(here.bytes, there.bytes) !== 0 || here.fields.length !== there.fields.length) return false;
  return here.fields.every((field, i) => {
    const twin = there.fields[i]!;
    const placed =
      twin.offset - other.start === field.offset - item.start && widthOf(twin.type) === widthOf(field.type);
    return placed && sameTarget(file, here.meaning(field), otherFile, there.meaning(twin));
  });
}

function sameTarget(file: UnitFile, a: Meaning, otherFile: UnitFile, b: Meaning): boolean {
  // a function that became global or static is the same function
  const nameOf = (each: Meaning): string =>
    each.kind === 'undefined' ? each.name : each.kind === 'item' ? each.item.name : each.what;
  if (a.kind !== 'item' || b.kind !== 'item') return nameOf(a) === nameOf(b);
  if (a.item.kind === 'string' && b.item.kind === 'string')
    return a.at === b.at && Buffer.compare(file.bytes(a.item), otherFile.bytes(b.item)) === 0;
  // among several variables of one section, a border may mean either; only what is alone tells
  const alone = file.symbolsOf(a.item.section).length === 1 && otherFile.symbolsOf(b.item.section).length === 1;
  return !alone || (plainName(a.item.name) === plainName(b.item.name) && a.at === b.at);
}

/** The bytes of a thing without what depends on where its section's other things lie. */
class Content {
  readonly bytes: Uint8Array;
  readonly fields: readonly ElfRelocation[];
  readonly #file: UnitFile;
  readonly #isCode: boolean;
  readonly #operands: ReadonlyMap<number, Operand>;

  constructor(file: UnitFile, item: Item) {
    this.#file = file;
    this.fields = file.relocations(item.section, item.start, item.start + item.size);
    this.bytes = Uint8Array.from(file.bytes(item));
    for (const { offset, type } of this.fields) this.#blank(item, offset, widthOf(type));
    this.#isCode = (item.section.flags & SHF.EXECINSTR) !== 0;
    const crowded = file.symbolsOf(item.section).length > 1;
    // decoding all of a unit would take long, and one function a section needs it only for literals
    const needed =
      this.#isCode && (crowded || this.fields.some((field) => isPcRelative(field.type) && file.isLiteral(field)));
    const offsets = new Set(this.fields.map(({ offset }) => offset));
    const { operands } = needed ? decode(item.section, item.start, item.size, offsets) : { operands: [] };
    this.#operands = new Map(operands.map((operand) => [operand.offset, operand]));
    for (const { outside, offset, size } of operands) if (outside !== undefined) this.#blank(item, offset, size);
  }

  #blank({ start }: Item, offset: number, width: number): void {
    this.bytes.fill(0, offset - start, offset - start + width);
  }

  meaning(field: ElfRelocation): Meaning {
    const end = this.#operands.get(field.offset)?.end ?? field.offset + 4;
    return this.#file.meaning(field, this.#isCode && isPcRelative(field.type) ? end - field.offset : 0);
  }
}
