/** The entries of the special tables about a piece of code: in the module one for one as in the patched object, with the same content and targets. */
import type { Btf } from '@livegraft/binfmt/btf';
import type { ElfRelocation, ElfSection } from '@livegraft/binfmt/elf/types';
import { ModuleEntries, type UnitEntries, type UnitEntry, unitEntries } from './entries.ts';
import type { Question } from './judge.ts';
import { tableShape } from './layouts.ts';
import type { LivepatchModule, ModuleField } from './module.ts';
import type { Item, Meaning } from './object.ts';
import { nameOf, type Pair } from './pair.ts';
import type { CheckedUnit } from './unit.ts';

/** What the comparison of tables needs of the one of code. */
export interface Reporter {
  deviate(pair: Pair, at: number, instruction: string, meant: string, found: string): void;
  ask(
    pair: Pair,
    at: number,
    instruction: string,
    question: Omit<Question, 'referent'>,
    type: number,
    field: ModuleField | undefined,
  ): void;
}

export class TableCheck {
  readonly #btf: Btf;
  readonly #entries: ModuleEntries;
  readonly #reporter: Reporter;
  readonly #unitEntries = new Map<CheckedUnit, UnitEntries>();
  readonly #fragments = new Map<string, Item>();

  constructor(module: LivepatchModule, btf: Btf, reporter: Reporter) {
    this.#btf = btf;
    this.#entries = new ModuleEntries(module, btf);
    this.#reporter = reporter;
  }

  /** Compares all entries about a piece of code. */
  compare(pair: Pair): void {
    for (const entry of this.#of(pair.unit, pair.item)) this.#compareEntry(pair, entry);
  }

  /** Reports what the module has about a piece of code and the patched object has not. To be called when all is compared. */
  finish(pair: Pair): void {
    for (const { table, offset } of this.#entries.left(
      pair.section,
      pair.start - pair.item.entryPadding,
      pair.start + pair.item.size,
    ))
      this.#reporter.deviate(pair, offset - pair.start, table, 'no such entry', `an entry of ${table}`);
  }

  /** A piece of a section of out-of-line code; the same one for the same place. */
  fragment(unit: CheckedUnit, section: ElfSection, start: number, size: number): Item {
    const key = `${unit.source} ${section.index} ${start} ${size}`;
    const known = this.#fragments.get(key);
    if (known !== undefined) return known;
    const made: Item = { kind: 'unnamed', section, start, size, entryPadding: 0, symbols: [], name: '' };
    this.#fragments.set(key, made);
    return made;
  }

  #of(unit: CheckedUnit, item: Item): readonly UnitEntry[] {
    const all = this.#unitEntries.get(unit) ?? unitEntries(unit.patched, this.#btf);
    this.#unitEntries.set(unit, all);
    const end = item.start + item.size;
    const closes = (at: number): boolean =>
      at === end && (at === item.section.size || unit.patched.item(item.section, at).kind === 'unnamed');
    return (all.get(item.section.index) ?? []).filter(
      ({ at }) => (at >= item.start - item.entryPadding && at < end) || closes(at),
    );
  }

  #compareEntry(pair: Pair, entry: UnitEntry): void {
    const { unit, item, section, start } = pair;
    const at = entry.at - item.start;
    const place = `${entry.table} entry`;
    const found = this.#entries.take(entry, section, start + at);
    if (found === undefined) {
      if (!this.#mayBeDropped(unit, entry))
        this.#reporter.deviate(pair, at, place, 'an entry about this place', 'none');
      return;
    }
    const same =
      Buffer.compare(entry.bytes, found.bytes) === 0 &&
      (entry.orc === undefined || Buffer.compare(entry.orc, found.orc ?? new Uint8Array(0)) === 0);
    const hex = (bytes: Uint8Array, orc?: Uint8Array): string =>
      `${Buffer.from(bytes).toString('hex')} ${Buffer.from(orc ?? []).toString('hex')}`.trimEnd();
    if (!same) this.#reporter.deviate(pair, at, place, hex(entry.bytes, entry.orc), hex(found.bytes, found.orc));
    const fields = unit.patched.relocations(entry.section, entry.start, entry.start + entry.stride);
    const meanings = fields.map((field) => this.#entryMeaning(unit, entry, field));
    if (found.fields.length !== meanings.filter((meaning) => meaning !== undefined).length)
      this.#reporter.deviate(pair, at, place, `${fields.length} relocated fields`, `${found.fields.length}`);
    const placeField = entry.start + tableShape(this.#btf, entry.table).fields[0]!;
    for (const [i, field] of fields.entries()) {
      const meaning = meanings[i];
      // the end of a piece is told by where it was taken from: what fills the space behind it does not come along
      if (meaning === undefined || (at === item.size && field.offset === placeField)) continue;
      const twin = found.fields.find(({ offset }) => offset - found.start === field.offset - entry.start);
      this.#reporter.ask(pair, at, place, { unit, user: item, meaning, bias: 0, use: 'entry' }, field.type, twin);
    }
  }

  /** An alternative's replacement is as long as its entry says; an empty one lies nowhere. */
  #entryMeaning(unit: CheckedUnit, entry: UnitEntry, field: ElfRelocation): Meaning | undefined {
    const meaning = unit.patched.meaning(field, 0);
    if (meaning.kind !== 'item' || meaning.item.section.name !== '.altinstr_replacement') return meaning;
    const length = entry.bytes[entry.stride - 1]!;
    if (length === 0) return undefined;
    const item = this.fragment(unit, meaning.item.section, meaning.item.start + meaning.at, length);
    return { ...meaning, item, at: 0 };
  }

  /** A call whose displacement is filled in with a module: the kernel reads the table of calls before. */
  #calleeIsLate(unit: CheckedUnit, { section, start, at }: UnitEntry): boolean {
    const [place] = unit.patched.relocations(section, start, start + 1);
    const code = place && unit.patched.elf.sections[unit.patched.elf.symbols[place.symbol]!.section]!;
    const [field] = code === undefined ? [] : unit.patched.relocations(code, at + 1, at + 2);
    const meaning = field && unit.patched.meaning(field, 0);
    if (meaning === undefined || meaning.kind === 'nowhere') return false;
    const callee =
      meaning.kind === 'undefined' ? unit.places.undefined(meaning.name) : unit.places.defined(meaning.item.name);
    return callee !== undefined && callee.object !== 'vmlinux';
  }

  /** Tracepoints and static calls whose key is in a module: left out on purpose (ARCHITECTURE.md, "Jump labels and static calls"). */
  #mayBeDropped(unit: CheckedUnit, entry: UnitEntry): boolean {
    if (entry.table === '.call_sites') return this.#calleeIsLate(unit, entry);
    if (entry.table !== '__jump_table' && entry.table !== '.static_call_sites') return false;
    const keyAt = entry.start + tableShape(this.#btf, entry.table).fields.at(-1)!;
    const field = unit.patched.relocations(entry.section, keyAt, keyAt + 1)[0];
    const meaning = field && unit.patched.meaning(field, 0);
    if (meaning === undefined || meaning.kind === 'nowhere') return false;
    const name = nameOf(meaning);
    const place = meaning.kind === 'undefined' ? unit.places.undefined(name) : unit.places.defined(name);
    return (
      place !== undefined &&
      place.object !== 'vmlinux' &&
      (entry.table === '.static_call_sites' || name.startsWith('__tracepoint_'))
    );
  }
}
