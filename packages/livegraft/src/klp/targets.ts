/**
 * What a reference of new code becomes in the module: something that comes along, or what the running kernel has. Code that changed is called
 * directly; its address, as that of anything that exists, stays the one that everybody knows.
 */
import { STB } from '@livegraft/binfmt/elf/constants';
import type { ElfSymbol } from '@livegraft/binfmt/elf/types';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/klp.ts';
import { symbolUnresolved } from '../diagnostics/provenance.ts';
import type { Atom, Target } from '../objdiff/atoms.ts';
import { isGlobal } from '../objdiff/correlate.ts';
import { coldParent, isContentOnly } from '../objdiff/names.ts';
import { holdsDescriptors, isSanitizerData } from '../objdiff/sections.ts';
import { functionOf, requireSameNumbering, requireSameSurroundings, type User } from './checks.ts';
import type { Piece, PieceTarget } from './piece.ts';
import { resolveOutside, resolveOwn } from './resolve.ts';
import type { ChangedUnit } from './unit.ts';

/** An atom of a patched object. */
export interface Patched {
  readonly unit: ChangedUnit;
  readonly atom: Atom;
}

export class Targets {
  readonly #include: (unit: ChangedUnit, atom: Atom) => Piece;
  readonly #note: (finding: Diagnostic) => void;
  readonly #changed: ReadonlySet<Atom>;
  /** New global functions and variables of all units, which other units of the patch may refer to by name. */
  readonly #newGlobals = new Map<string, Patched>();
  /** Changed functions that units of the same object call by name: a call goes straight to the new code there too. */
  readonly #changedGlobals = new Map<string, Patched>();
  /** Functions and variables that were local before, which other units of the patch may refer to by name now. */
  readonly #promoted = new Map<string, Patched>();

  constructor(
    units: readonly ChangedUnit[],
    include: (unit: ChangedUnit, atom: Atom) => Piece,
    note: (finding: Diagnostic) => void,
  ) {
    this.#include = include;
    this.#note = note;
    const verdicts = units.flatMap(({ diff }) => diff.functions);
    this.#changed = new Set(verdicts.flatMap((f) => (f.verdict === 'changed' ? (f.patched ?? []) : [])));
    for (const unit of units) {
      for (const atom of unit.diff.patched.object.atoms) {
        const original = unit.diff.correlation.originalOf.get(atom);
        const isKnown = original !== undefined && isGlobal(original);
        if (isKnown && !this.#changed.has(atom)) continue;
        const names = original === undefined ? this.#newGlobals : isKnown ? this.#changedGlobals : this.#promoted;
        for (const symbol of atom.symbols) if (symbol.binding !== STB.LOCAL) names.set(symbol.name, { unit, atom });
      }
    }
  }

  /** New functions and variables that other units may refer to by name. */
  fresh(): Iterable<Patched> {
    return this.#newGlobals.values();
  }

  freshNamed(name: string): Patched | undefined {
    return this.#newGlobals.get(name);
  }

  isChanged(atom: Atom): boolean {
    return this.#changed.has(atom);
  }

  /** The klp object that a key lies in; undefined when the patch itself brings it. */
  async homeOf(unit: ChangedUnit, atom: Atom, key: Target): Promise<string | undefined> {
    const target = await this.of(unit, atom, key, false).catch((error: unknown) => {
      // the relocation of the entry itself will say so
      if (error instanceof LivegraftError) return undefined;
      throw error;
    });
    if (target === undefined || target.kind === 'piece') return undefined;
    return target.kind === 'export' ? 'vmlinux' : target.object;
  }

  /**
   * @param from whose reference it is
   * @param branch a direct call or jump, or an entry of a table: no address that something might keep
   * @throws LivegraftError when it can be neither brought along nor found
   */
  async of(unit: ChangedUnit, from: Atom, target: Target, branch: boolean): Promise<PieceTarget> {
    const user = { unit: unit.source, function: functionOf(from) };
    if (target.kind === 'symbol') return await this.#outside(unit, user, target.symbol, branch);
    const { atom } = target;
    if (atom.role === 'once')
      throw new LivegraftError(say.initReference({ ...user, symbol: atom.name || atom.section.name }));
    if (target.doubtful) requireSameSurroundings(unit, user, target);
    const here = (): PieceTarget => ({ kind: 'piece', piece: this.#include(unit, atom) });
    const original = unit.diff.correlation.originalOf.get(atom);
    switch (atom.kind) {
      case 'string':
      case 'constant':
      case 'fragment':
        return here();
      case 'unnamed':
        if (atom.role === 'data' && !isSanitizerData(atom.section))
          throw new LivegraftError(say.unnamedData({ ...user, section: atom.section.name }));
        return here();
      case 'function':
        if (coldParent(atom.name) !== undefined) return here();
        // a place inside (a label, a jump table's entry) belongs to the code it was compiled with
        if (target.at !== 0) {
          if (original === undefined || this.#changed.has(atom)) return here();
          throw new LivegraftError(say.insideOfOther({ ...user, target: atom.name, offset: target.at }));
        }
        if (original === undefined) {
          if (!branch && !unit.diff.author.lent.includes(atom.name))
            this.#note(say.pointerEscapes({ ...user, target: atom.name }));
          return here();
        }
        // a call goes straight to the new code; a stored address must stay the one that everybody knows
        if (branch && this.#changed.has(atom)) return here();
        break;
      case 'data':
        if (original === undefined || atom.size === 0 || isContentOnly(atom) || holdsDescriptors(atom.section))
          return here();
        break;
    }
    if (original.role === 'once') throw new LivegraftError(say.initReference({ ...user, symbol: original.name }));
    return this.#existing(unit, user, original);
  }

  async #outside(unit: ChangedUnit, user: User, symbol: ElfSymbol, branch: boolean): Promise<PieceTarget> {
    if (symbol.binding === STB.LOCAL) {
      const what = 'it is a local symbol without a place (an absolute value or a common block)';
      throw new LivegraftError(symbolUnresolved({ unit: user.unit, name: symbol.name, object: 'the unit', what }));
    }
    const promoted = this.#promoted.get(symbol.name);
    if (promoted !== undefined && promoted.unit.space.own === unit.space.own) {
      if (branch && this.#changed.has(promoted.atom))
        return { kind: 'piece', piece: this.#include(promoted.unit, promoted.atom) };
      return this.#existing(promoted.unit, user, promoted.unit.diff.correlation.originalOf.get(promoted.atom)!);
    }
    const changed = this.#changedGlobals.get(symbol.name);
    if (branch && changed !== undefined && changed.unit.space.own === unit.space.own)
      return { kind: 'piece', piece: this.#include(changed.unit, changed.atom) };
    const fresh = this.#newGlobals.get(symbol.name);
    // what a module brings along is seen by that module's code, what vmlinux does by vmlinux's
    if (fresh === undefined || fresh.unit.space.own !== unit.space.own)
      return await resolveOutside(unit.space, user, symbol.name);
    if (fresh.atom.role === 'once') throw new LivegraftError(say.initReference({ ...user, symbol: symbol.name }));
    return { kind: 'piece', piece: this.#include(fresh.unit, fresh.atom) };
  }

  /** What the running kernel has already, and the patch leaves as it is or replaces behind its name. */
  async #existing(unit: ChangedUnit, user: User, original: Atom): Promise<PieceTarget> {
    const global = original.symbols.find((symbol) => symbol.binding === STB.GLOBAL);
    const weak = original.symbols.find((symbol) => symbol.binding === STB.WEAK);
    // a weak definition may have been overridden: the linker's choice has that name
    if (global === undefined && weak !== undefined) return await resolveOutside(unit.space, user, weak.name);
    const name = (global ?? original).name;
    requireSameNumbering(unit, original);
    if (original.kind === 'function' && global === undefined) {
      const state = unit.placement.functions.get(name)?.state;
      if (state !== 'equal') {
        const what = `the rebuilt ${name} is not the code that was shipped (${state ?? 'absent'})`;
        throw new LivegraftError(symbolUnresolved({ unit: user.unit, name, object: unit.space.own.name, what }));
      }
    }
    return resolveOwn(unit.space, user, name, unit.placement.addressOf(name), global !== undefined);
  }
}
