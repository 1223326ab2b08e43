/**
 * Follows each replaced function, and all of the module that it reaches, side by side with the patched object: the same bytes outside of
 * relocated fields, each field about what the patched source meant, the same entries in the special tables.
 */
import type { Btf } from '@livegraft/binfmt/btf';
import { SHF, SHT } from '@livegraft/binfmt/elf/constants';
import type { ElfRelocation, ElfSection } from '@livegraft/binfmt/elf/types';
import { decode, fragmentEnd, instructionAt, type Operand } from './decode.ts';
import { describeLiteral, Judge, type Question, type Use } from './judge.ts';
import type { ShippedKernel } from './kernel.ts';
import type { LivepatchModule, ModuleField } from './module.ts';
import { type Item, isPcRelative, type Meaning, widthOf } from './object.ts';
import { type Deviation, type FunctionCount, nameOf, type Pair, type Text } from './pair.ts';
import {
  isCovered,
  loadField,
  loadProblem,
  meaningOf,
  type RuntimeConstant,
  runtimeConstantsOf,
} from './runtime-constants.ts';
import { TableCheck } from './table-check.ts';
import type { CheckedUnit } from './unit.ts';

export class MeaningCheck {
  readonly deviations: Deviation[] = [];
  readonly #module: LivepatchModule;
  readonly #judge: Judge;
  readonly #tables: TableCheck;
  readonly #pairs = new Map<Item, Pair[]>();
  readonly #queue: Pair[] = [];

  constructor(module: LivepatchModule, kernel: ShippedKernel, btf: Btf, units: readonly CheckedUnit[]) {
    this.#module = module;
    this.#judge = new Judge(kernel, units);
    this.#tables = new TableCheck(module, btf, {
      deviate: (...deviation) => this.#deviate(...deviation),
      ask: (...question) => this.#ask(...question),
    });
  }

  /** Compares a function of a patched object with the code at a place of the module, and all that is reached from there. */
  follow(unit: CheckedUnit, item: Item, section: ElfSection, start: number): FunctionCount {
    const count: FunctionCount = { name: item.name, instructions: 0, references: 0, undecided: [] };
    const known = this.#pairs.get(item)?.[0];
    if (known !== undefined && (known.section !== section || known.start !== start))
      this.#deviate(
        { unit, item, section, start, count },
        0,
        'klp_func.new_func',
        `the code at ${this.#module.describe(known.section, known.start)}`,
        this.#module.describe(section, start),
      );
    this.#pair({ unit, item, section, start, count }, undefined);
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#compare(next);
    return count;
  }

  /** After all functions: what the module has about their code and the patched objects have not. */
  finish(): void {
    const all = [...this.#pairs.values()].flat();
    for (const pair of all) if ((pair.section.flags & SHF.EXECINSTR) !== 0) this.#tables.finish(pair);
    const writable = all.filter(
      ({ item, section }) =>
        item.size > 0 && (item.kind === 'variable' || item.kind === 'function' || (section.flags & SHF.WRITE) !== 0),
    );
    writable.sort((a, b) => a.section.index - b.section.index || a.start - b.start);
    for (const [i, pair] of writable.entries()) {
      const next = writable[i + 1];
      if (next !== undefined && next.section === pair.section && next.start < pair.start + pair.item.size)
        this.#deviate(next, 0, 'its place', 'memory of its own', `memory that ${pair.item.name} has`);
    }
  }

  #pair(pair: Pair, where: (() => void) | undefined): void {
    const { item, section, start } = pair;
    const known = this.#pairs.get(item) ?? [];
    if (known.some((other) => other.section === section && other.start === start)) return;
    const isLiteral = item.kind === 'string' || item.kind === 'constant';
    if (known.length > 0 && !isLiteral) {
      if (where === undefined) return;
      where();
      return;
    }
    this.#pairs.set(item, [...known, pair]);
    this.#queue.push(pair);
  }

  #deviate({ unit, item }: Pair, offset: number, instruction: Text, meant: string, found: string): void {
    const name = item.name || describeLiteral(unit.patched, item);
    const text = typeof instruction === 'string' ? instruction : instruction();
    this.deviations.push({ unit: unit.source, function: name, offset, instruction: text, meant, found });
  }

  #compare(pair: Pair): void {
    const { item, section, start, unit } = pair;
    if (start < 0 || start + item.size > section.size) {
      this.#deviate(
        pair,
        0,
        'its place',
        `${item.size} bytes`,
        `${this.#module.describe(section, start)}, where there are ${section.size - start}`,
      );
      return;
    }
    if (!this.#sameHome(pair) || !this.#samePadding(pair)) return;
    const isCode = (item.section.flags & SHF.EXECINSTR) !== 0;
    const relocations = unit.patched.relocations(item.section, item.start, item.start + item.size);
    const decoded = isCode
      ? decode(item.section, item.start, item.size, new Set(relocations.map(({ offset }) => offset)))
      : { instructions: 0, operands: [] };
    pair.count.instructions += decoded.instructions;
    // PC-relative operands that the assembler resolved within a section, and that leave the function
    const implied = decoded.operands.filter((operand) => operand.outside !== undefined);
    const constants = isCode ? runtimeConstantsOf(unit.patched, item) : [];
    if (!this.#sameBytes(pair, relocations, implied, constants)) return;
    for (const constant of constants) this.#compareConstant(pair, constant);
    const operands = new Map(decoded.operands.map((operand) => [operand.offset, operand]));
    for (const relocation of relocations) this.#compareField(pair, relocation, operands.get(relocation.offset), isCode);
    for (const operand of implied) this.#compareImplied(pair, operand);
    const extra = this.#module.fieldsIn(section, start, start + item.size).length - relocations.length;
    const covered = implied.filter(
      ({ offset }) => this.#module.fieldAt(section, start + offset - item.start) !== undefined,
    ).length;
    const loads = constants.map(({ start: at }) => ({ offset: item.start + at + loadField.offset }));
    if (extra !== covered + loads.length) this.#extraField(pair, [...relocations, ...implied, ...loads]);
    if (isCode) this.#tables.compare(pair);
  }

  /** Code stays code, what is written to can be written to, what belongs to a CPU does, and alignment is kept. */
  #sameHome(pair: Pair): boolean {
    const { item, section, start } = pair;
    const percpu = (each: ElfSection): boolean => each.name.startsWith('.data..percpu');
    const needs =
      SHF.EXECINSTR | (item.kind === 'string' || item.kind === 'constant' ? 0 : item.section.flags & SHF.WRITE);
    const align = item.kind === 'string' ? 1 : item.start === 0 ? Math.max(1, item.section.addralign) : 1;
    const fits = ((item.section.flags ^ section.flags) & needs) === 0 && percpu(item.section) === percpu(section);
    if (!fits) this.#deviate(pair, 0, 'its section', `one like ${item.section.name}`, section.name);
    const aligned = start % align === 0 && section.addralign >= align;
    if (!aligned)
      this.#deviate(
        pair,
        0,
        'its section',
        `alignment ${align}`,
        `${section.name}+0x${start.toString(16)}, aligned ${section.addralign}`,
      );
    return fits && aligned;
  }

  /** What the kernel may write to before a function is there, and as the compiler left it. */
  #samePadding(pair: Pair): boolean {
    const { item, section, start } = pair;
    if (item.entryPadding === 0) return true;
    const mine = item.section.data.subarray(item.start - item.entryPadding, item.start);
    const theirs = section.data.subarray(Math.max(0, start - item.entryPadding), start);
    const fields = this.#module.fieldsIn(section, start - item.entryPadding, start).length;
    if (fields === 0 && Buffer.compare(mine, theirs) === 0) return true;
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    this.#deviate(
      pair,
      -item.entryPadding,
      'the padding before it',
      hex(mine),
      `${hex(theirs)}, ${fields} relocated fields`,
    );
    return false;
  }

  #sameBytes(
    pair: Pair,
    relocations: readonly ElfRelocation[],
    implied: readonly Operand[],
    constants: readonly RuntimeConstant[],
  ): boolean {
    const { unit, item, section, start } = pair;
    const mine = Uint8Array.from(unit.patched.bytes(item));
    const theirs =
      section.type === SHT.NOBITS
        ? new Uint8Array(item.size)
        : Uint8Array.from(section.data.subarray(start, start + item.size));
    const blank = (offset: number, width: number): void => {
      mine.fill(0, offset - item.start, offset - item.start + width);
      theirs.fill(0, offset - item.start, offset - item.start + width);
    };
    for (const { offset, type } of relocations) blank(offset, widthOf(type));
    for (const { offset, size } of implied) blank(offset, size);
    const at = mine.findIndex((byte, i) => byte !== theirs[i] && !isCovered(constants, i));
    if (at < 0) return true;
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(at, at + 8)).toString('hex');
    if (item.kind === 'string') {
      const text = (bytes: Uint8Array): string =>
        JSON.stringify(Buffer.from(bytes).toString('latin1').replace(/\0+$/, ''));
      this.#deviate(pair, at, 'a string', text(mine), text(theirs));
    } else
      this.#deviate(
        pair,
        at,
        this.#instruction(pair, item.start + at),
        `the bytes ${hex(mine)}`,
        `the bytes ${hex(theirs)}`,
      );
    return false;
  }

  #compareField(pair: Pair, relocation: ElfRelocation, operand: Operand | undefined, isCode: boolean): void {
    if (relocation.type === 0) return;
    const { unit, item, section, start } = pair;
    const at = relocation.offset - item.start;
    const field = this.#module.fieldAt(section, start + at);
    const bias =
      isCode && isPcRelative(relocation.type) ? (operand?.end ?? relocation.offset + 4) - relocation.offset : 0;
    const use: Use = operand?.branch === true ? 'branch' : operand?.access === true ? 'access' : 'address';
    this.#ask(
      pair,
      at,
      this.#instruction(pair, relocation.offset),
      { unit, user: item, meaning: unit.patched.meaning(relocation, bias), bias, use },
      relocation.type,
      field,
    );
  }

  #compareConstant(pair: Pair, constant: RuntimeConstant): void {
    const { unit, item, section, start } = pair;
    const at = constant.start + loadField.offset;
    const name = `the load of ${constant.symbol}`;
    const problem = loadProblem(constant, item, section, start);
    if (problem !== undefined) {
      this.#deviate(pair, constant.start, name, 'a load into the same register', problem);
      return;
    }
    const meaning = meaningOf(unit.patched, constant);
    const field = this.#module.fieldAt(section, start + at);
    this.#ask(pair, at, name, { unit, user: item, meaning, bias: loadField.bias, use: 'access' }, 2, field);
  }

  #compareImplied(pair: Pair, operand: Operand): void {
    const { unit, item, section, start } = pair;
    const at = operand.offset - item.start;
    const bias = operand.end - operand.offset;
    const field = this.#module.fieldAt(section, start + at);
    const meaning = unit.patched.place(item.section, operand.outside! - bias, bias);
    const use: Use = operand.branch ? 'branch' : operand.access ? 'access' : 'address';
    const question = { unit, user: item, meaning, bias, use };
    if (field !== undefined || operand.size !== 4) {
      this.#ask(pair, at, this.#instruction(pair, operand.offset), question, operand.size === 4 ? 2 : 15, field);
      return;
    }
    const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.length);
    const offset = start + at + view.getInt32(start + at, true);
    this.#verdict(pair, at, this.#instruction(pair, operand.offset), {
      ...question,
      referent: { kind: 'inside', section, offset },
    });
  }

  #ask(
    pair: Pair,
    at: number,
    instruction: Text,
    question: Omit<Question, 'referent'>,
    type: number,
    field: ModuleField | undefined,
  ): void {
    const plain = (each: number): number => (each === 4 ? 2 : each);
    if (field === undefined || plain(field.type) !== plain(type)) {
      this.#deviate(
        pair,
        at,
        instruction,
        `a relocation of type ${type} about ${nameOf(question.meaning)}`,
        field === undefined ? 'none' : `one of type ${field.type}`,
      );
      return;
    }
    this.#verdict(pair, at, instruction, { ...question, referent: this.#module.referent(field) });
  }

  #verdict(pair: Pair, at: number, instruction: Text, question: Question): void {
    pair.count.references++;
    const { referent, meaning } = question;
    const verdict = this.#judge.ask({ ...question, meaning: this.#cutFragment(question.unit, meaning, question.bias) });
    const found = (): string => this.#module.describeReferent(referent);
    if (verdict.kind === 'wrong') this.#deviate(pair, at, instruction, verdict.meant, found());
    else if (verdict.kind === 'undecided')
      pair.count.undecided.push(`${question.user.name}+0x${at.toString(16)}: ${verdict.why}`);
    else if (verdict.kind === 'inside' && referent.kind === 'inside') {
      const { unit, item, start } = verdict;
      this.#pair({ unit, item, section: referent.section, start, count: pair.count }, () => {
        const [other] = this.#pairs.get(item)!;
        this.#deviate(pair, at, instruction, this.#module.describe(other!.section, other!.start), found());
      });
    }
  }

  /** Sections of out-of-line code hold pieces of many functions: only the piece is meant. */
  #cutFragment(unit: CheckedUnit, meaning: Meaning, bias: number): Meaning {
    if (meaning.kind !== 'item' || !['.altinstr_aux', '.fixup'].includes(meaning.item.section.name)) return meaning;
    const { section, start } = meaning.item;
    const from = start + meaning.at + bias;
    return {
      ...meaning,
      item: this.#tables.fragment(unit, section, from, fragmentEnd(section, from) - from),
      at: -bias,
    };
  }

  #extraField(pair: Pair, expected: readonly { readonly offset: number }[]): void {
    const { item, section, start } = pair;
    const known = new Set(expected.map(({ offset }) => offset - item.start + start));
    const extra = this.#module.fieldsIn(section, start, start + item.size).find(({ offset }) => !known.has(offset));
    if (extra !== undefined)
      this.#deviate(
        pair,
        extra.offset - start,
        this.#instruction(pair, extra.offset - start + item.start),
        'no relocation',
        this.#module.describeReferent(this.#module.referent(extra)),
      );
  }

  /** Disassembled only when it is needed. */
  #instruction({ item }: Pair, offset: number): () => string {
    if ((item.section.flags & SHF.EXECINSTR) === 0)
      return () => (item.kind === 'variable' ? 'its content' : 'its bytes');
    return () => instructionAt(item.section, item.start, item.size, offset).text;
  }
}
