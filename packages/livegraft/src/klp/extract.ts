/**
 * Takes out of the patched objects what the running kernel does not have: changed functions, new ones that they reach,
 * new data, the strings and constants they use, and the entries of the special tables that are about them. Nothing else comes along.
 */
import type { ElfSymbol } from '@livegraft/binfmt/elf/types';
import { callbackNotFunction } from '../diagnostics/author.ts';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/klp.ts';
import type { Atom, AtomTarget, Reference, UnitObject } from '../objdiff/atoms.ts';
import type { FunctionVerdict } from '../objdiff/diff.ts';
import { coldParent, isContentOnly } from '../objdiff/names.ts';
import { fieldSize } from '../objdiff/relocations.ts';
import { holdsDescriptors, isRuntimeConstants } from '../objdiff/sections.ts';
import type { Entry } from '../objdiff/special.ts';
import { type Callback, callbacksOf, type NamedCallback, type State, statesOf } from './author.ts';
import { functionOf, requireSameNumbering, takenNames, unknownTables } from './checks.ts';
import { landingPadProblems } from './landing-pads.ts';
import type { Piece, PieceRelocation } from './piece.ts';
import { atomPiece, blank, isBranch, isLate, tablePiece } from './pieces.ts';
import { resolveOutside } from './resolve.ts';
import { loadInstead, runtimePointer } from './runtime-constants.ts';
import { Targets } from './targets.ts';
import type { ChangedUnit } from './unit.ts';

export interface Extraction {
  /** In a fixed order: the same input gives the same list. */
  readonly pieces: readonly Piece[];
  readonly replaced: readonly ReplacedFunction[];
  /** New functions that came along, by unit. */
  readonly added: readonly AddedFunction[];
  /** New variables that came along. */
  readonly data: readonly {
    readonly unit: ChangedUnit;
    readonly name: string;
    readonly size: number;
    readonly section: string;
  }[];
  /** In the order of the units, and of the kinds within one. */
  readonly callbacks: readonly Callback[];
  /** By rising number. */
  readonly states: readonly State[];
  readonly findings: readonly Diagnostic[];
}

export interface AddedFunction {
  readonly unit: ChangedUnit;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** In the patched object. */
  readonly atom: Atom;
  readonly piece: Piece;
}

export interface ReplacedFunction {
  readonly unit: ChangedUnit;
  readonly verdict: FunctionVerdict;
  readonly piece: Piece;
}

/** Throws LivegraftError with all reasons when something that is needed cannot be carried. */
export async function extract(units: readonly ChangedUnit[]): Promise<Extraction> {
  const extractor = new Extractor(units);
  await extractor.run();
  return extractor.result();
}

interface Included {
  readonly unit: ChangedUnit;
  readonly atom: Atom;
  readonly piece: Piece;
}

class Extractor {
  readonly #units: readonly ChangedUnit[];
  /** Insertion order is the order of the pieces. */
  readonly #included = new Map<Atom, Included>();
  readonly #entries: Piece[] = [];
  readonly #queue: Included[] = [];
  readonly #findings: Diagnostic[] = [];
  readonly #replaced: ReplacedFunction[] = [];
  readonly #callbacks: Callback[] = [];
  #states: readonly State[] = [];
  readonly #strings = new Map<string, Piece>();
  readonly #targets: Targets;

  constructor(units: readonly ChangedUnit[]) {
    this.#units = units;
    this.#targets = new Targets(
      units,
      (unit, atom) => this.#include(unit, atom).piece,
      (finding) => this.#findings.push(finding),
    );
  }

  async run(): Promise<void> {
    for (const { unit, atom } of this.#targets.fresh()) this.#findings.push(...takenNames(unit, atom));
    for (const unit of this.#units) {
      for (const verdict of unit.diff.functions) {
        if (verdict.verdict !== 'changed') continue;
        this.#collect(() => requireSameNumbering(unit, verdict.original!));
        const { piece } = this.#include(unit, verdict.patched!);
        this.#replaced.push({ unit, verdict, piece });
      }
    }
    for (const unit of this.#units) {
      const { callbacks, problems } = callbacksOf(unit);
      this.#findings.push(...problems);
      for (const callback of callbacks) await this.#takeCallback(callback);
    }
    const { states, problems } = statesOf(this.#units);
    this.#states = states;
    this.#findings.push(...problems);
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) await this.#follow(next);
    for (const unit of this.#units) this.#findings.push(...unknownTables(unit, (atom) => this.#included.has(atom)));
    const errors = this.#findings.filter((finding) => finding.severity === 'error');
    if (errors.length > 0) throw new LivegraftError(...(errors as [Diagnostic, ...Diagnostic[]]));
  }

  /** A callback is a root, as a replaced function is; it must be new, here or in another unit of the object. */
  async #takeCallback({ unit, kind, name, target }: NamedCallback): Promise<void> {
    const refuse = (): number => this.#findings.push(callbackNotFunction({ unit: unit.source, name, kind }));
    if (target === undefined) return void refuse();
    const fresh = target.kind === 'symbol' ? this.#targets.freshNamed(target.symbol.name) : { unit, atom: target.atom };
    const at = target.kind === 'symbol' ? target.addend : target.at;
    if (
      fresh === undefined ||
      at !== 0 ||
      fresh.atom.kind !== 'function' ||
      fresh.unit.space.own !== unit.space.own ||
      fresh.unit.diff.correlation.originalOf.has(fresh.atom)
    )
      return void refuse();
    if (fresh.atom.role === 'once') {
      this.#findings.push(say.initReference({ unit: unit.source, function: kind, symbol: name }));
      return;
    }
    this.#callbacks.push({ unit, kind, name: fresh.atom.name, piece: this.#include(fresh.unit, fresh.atom).piece });
  }

  /** Runs a check; what it throws becomes a finding, so that a person sees all of them at once. */
  #collect(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof LivegraftError)) throw error;
      this.#findings.push(...error.diagnostics);
    }
  }

  result(): Extraction {
    const all = [...this.#included.values()];
    const isAdded = (each: Included): boolean =>
      each.atom.kind === 'function' && !this.#targets.isChanged(each.atom) && coldParent(each.atom.name) === undefined;
    const isData = ({ atom }: Included): boolean =>
      atom.kind === 'data' && atom.size > 0 && !isContentOnly(atom) && !holdsDescriptors(atom.section);
    return {
      pieces: [...new Set(all.map((each) => each.piece)), ...this.#entries],
      replaced: this.#replaced,
      added: all
        .filter(isAdded)
        .map(({ unit, atom, piece }) => ({ unit, name: atom.name, size: atom.size, atom, piece })),
      data: all
        .filter(isData)
        .map(({ unit, atom }) => ({ unit, name: atom.name, size: atom.size, section: atom.section.name })),
      callbacks: this.#callbacks,
      states: this.#states,
      findings: this.#findings,
    };
  }

  /** Puts an atom of a patched object on the list, once. */
  #include(unit: ChangedUnit, atom: Atom): Included {
    const known = this.#included.get(atom);
    if (known !== undefined) return known;
    const made = atomPiece(unit.diff.patched.object, atom);
    // equal literals of all units become one
    const key = atom.kind === 'string' ? `${made.section} ${Buffer.from(made.bytes).toString('latin1')}` : undefined;
    const piece = (key === undefined ? undefined : this.#strings.get(key)) ?? made;
    if (key !== undefined) this.#strings.set(key, piece);
    const included = { unit, atom, piece };
    this.#included.set(atom, included);
    this.#queue.push(included);
    return included;
  }

  /** Resolves what an included atom refers to, and brings the table entries that are about it. */
  async #follow(included: Included): Promise<void> {
    const { unit, atom, piece } = included;
    if (piece.relocations.length === 0) {
      for (const reference of unit.diff.patched.object.references(atom)) {
        const relocation = await this.#relocate(
          unit,
          atom,
          reference,
          isBranch(unit.diff.patched.object, atom, reference),
        );
        if (relocation === undefined) continue;
        piece.relocations.push(relocation);
        // the kernel copies replacements into the code when it loads the livepatch, before it knows symbols of modules
        if (atom.section.name === '.altinstr_replacement' && isLate(relocation)) {
          this.#findings.push(
            say.lateTable({
              unit: unit.source,
              function: functionOf(atom),
              table: '.altinstructions',
              symbol: relocation.target.name,
            }),
          );
        }
      }
    }
    // a later alternative may overwrite an earlier one: their order stays
    const entries = [...(unit.diff.patched.entries.get(atom) ?? [])].sort((a, b) => a.start - b.start);
    for (const entry of entries) await this.#followEntry(unit, included, entry);
  }

  async #followEntry(unit: ChangedUnit, { atom, piece }: Included, entry: Entry): Promise<void> {
    if (!(await this.#keepEntry(unit, atom, entry))) return;
    const { section, orc } = entry;
    const where = { unit: unit.source, function: functionOf(atom), table: entry.table };
    if (isRuntimeConstants(entry.table)) return this.#takeRuntimeConstant(unit, atom, piece, entry);
    // a call whose target is not known yet when the kernel reads the table is only not counted (call depth tracking)
    if (entry.table === '.call_sites' && piece.relocations.some((each) => each.offset === entry.at + 1 && isLate(each)))
      return;
    for (const relocation of piece.relocations) {
      const overwritten = relocation.offset >= entry.at && relocation.offset < entry.at + entry.overwrites;
      if (overwritten && isLate(relocation))
        this.#findings.push(say.lateTable({ ...where, symbol: relocation.target.name }));
    }
    const bytes = blank(entry.bytes, entry.references);
    const made = tablePiece(section, Math.max(1, section.addralign), orc === undefined ? section.entsize : 0, bytes);
    this.#entries.push(made);
    if (orc !== undefined) this.#entries.push(tablePiece(orc.section, 1, 0, Uint8Array.from(orc.bytes)));
    for (const reference of entry.references) {
      const relocation = await this.#relocate(unit, atom, reference, true);
      if (relocation === undefined) continue;
      if (isLate(relocation)) this.#findings.push(say.lateTable({ ...where, symbol: relocation.target.name }));
      made.relocations.push(relocation);
    }
  }

  /** The kernel has long filled in what its own code has there; new code loads it. */
  async #takeRuntimeConstant(unit: ChangedUnit, atom: Atom, piece: Piece, entry: Entry): Promise<void> {
    const user = { unit: unit.source, function: functionOf(atom) };
    const name = runtimePointer(entry.table);
    const offset = name === undefined ? undefined : loadInstead(piece.bytes, entry.at);
    if (name === undefined || offset === undefined) {
      this.#findings.push(say.runtimeConstant({ ...user, table: entry.table, offset: entry.at }));
      return;
    }
    const { object } = unit.diff.patched;
    const symbol = object.elf.symbols.find((each) => each.name === name && each.section !== 0);
    try {
      const target =
        symbol === undefined
          ? await resolveOutside(unit.space, user, name)
          : await this.#targets.of(unit, atom, placeOf(object, symbol), true);
      piece.relocations.push({ offset, type: 2, addend: -4, target });
    } catch (error) {
      if (!(error instanceof LivegraftError)) throw error;
      this.#findings.push(...error.diagnostics);
    }
  }

  /** Jump labels and static calls whose key lies in a module cannot be handed to the kernel; some need not be. */
  async #keepEntry(unit: ChangedUnit, atom: Atom, entry: Entry): Promise<boolean> {
    const isJump = entry.table === '__jump_table';
    if (!isJump && entry.table !== '.static_call_sites') return true;
    const key = entry.references.at(-1)!.target;
    const where = { unit: unit.source, function: functionOf(atom) };
    const home = await this.#targets.homeOf(unit, atom, key);
    if (home === undefined || home === 'vmlinux') return true;
    const name = key.kind === 'symbol' ? key.symbol.name : key.atom.name;
    if (!isJump) {
      this.#findings.push(say.staticCallByTrampoline({ ...where, call: name.replace(/^__SC[KT]__/, '') }));
      return false;
    }
    if (name.startsWith('__tracepoint_')) {
      this.#findings.push(say.tracepointSilent({ ...where, tracepoint: name.slice('__tracepoint_'.length) }));
      return false;
    }
    this.#findings.push(say.moduleKey({ ...where, key: name, object: home }));
    return false;
  }

  async #relocate(
    unit: ChangedUnit,
    atom: Atom,
    reference: Reference,
    branch: boolean,
  ): Promise<PieceRelocation | undefined> {
    const { offset, type } = reference;
    const user = { unit: unit.source, function: functionOf(atom) };
    if (type === 0) return undefined;
    if (fieldSize(type) < 4 || type === 9) {
      this.#findings.push(say.relocationUnsupported({ ...user, type, offset }));
      return undefined;
    }
    try {
      const target = await this.#targets.of(unit, atom, reference.target, branch);
      if (!branch) this.#findings.push(...(await landingPadProblems(unit, user, target)));
      return { offset, type, target, addend: reference.target.addend };
    } catch (error) {
      if (!(error instanceof LivegraftError)) throw error;
      this.#findings.push(...error.diagnostics);
      return undefined;
    }
  }
}

/** A thing of the unit by its symbol. */
function placeOf(object: UnitObject, symbol: ElfSymbol): AtomTarget {
  const atom = object.locate(object.elf.sections[symbol.section]!, Number(symbol.value));
  const at = Number(symbol.value) - atom.start;
  return { kind: 'atom', atom, at, addend: at };
}
