/**
 * Takes out of the patched objects what the running kernel does not have: changed functions, new ones that they reach,
 * new data, the strings and constants they use, and the entries of the special tables that are about them. Nothing else comes along.
 */
import { SHF, SHT, STB } from '@livegraft/binfmt/elf/constants';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/klp.ts';
import { type Atom, fieldSize, type Reference, type Target } from '../objdiff/atoms.ts';
import type { Diff, FunctionVerdict } from '../objdiff/diff.ts';
import { coldParent, isContentOnly } from '../objdiff/names.ts';
import type { Entry } from '../objdiff/special.ts';
import type { Placement } from '../provenance/place.ts';
import type { Piece, PieceRelocation, PieceTarget } from './piece.ts';
import { resolveOutside, resolveOwn, type SymbolSpace } from './resolve.ts';

/** One unit with a change in it. */
export interface ChangedUnit {
  /** `fs/ext4/mballoc.c` */
  readonly source: string;
  readonly diff: Diff;
  readonly placement: Placement;
  readonly space: SymbolSpace;
}

export interface Extraction {
  /** In a fixed order: the same input gives the same list. */
  readonly pieces: readonly Piece[];
  readonly replaced: readonly ReplacedFunction[];
  /** New functions that came along, by unit. */
  readonly added: readonly { readonly unit: ChangedUnit; readonly name: string; readonly size: number }[];
  /** New variables that came along. */
  readonly data: readonly { readonly unit: ChangedUnit; readonly name: string; readonly size: number; readonly section: string }[];
  readonly findings: readonly Diagnostic[];
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
  readonly #strings = new Map<string, Piece>();
  readonly #changed: ReadonlyMap<Atom, FunctionVerdict>;
  /** New global functions and variables of all units, which other units of the patch may refer to by name. */
  readonly #newGlobals = new Map<string, { unit: ChangedUnit; atom: Atom }>();

  constructor(units: readonly ChangedUnit[]) {
    this.#units = units;
    this.#changed = new Map(
      units.flatMap((unit) => unit.diff.functions.filter((f) => f.verdict === 'changed' && f.patched !== undefined).map((f) => [f.patched!, f])),
    );
    for (const unit of units) {
      for (const atom of unit.diff.patched.object.atoms) {
        if (unit.diff.correlation.originalOf.has(atom)) continue;
        for (const symbol of atom.symbols) {
          if (symbol.binding !== STB.LOCAL) this.#newGlobals.set(symbol.name, { unit, atom });
        }
      }
    }
  }

  async run(): Promise<void> {
    for (const unit of this.#units) {
      for (const verdict of unit.diff.functions) {
        if (verdict.verdict !== 'changed') continue;
        const { piece } = this.#include(unit, verdict.patched!);
        this.#replaced.push({ unit, verdict, piece });
      }
    }
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) await this.#follow(next);
    const errors = this.#findings.filter((finding) => finding.severity === 'error');
    if (errors.length > 0) throw new LivegraftError(...(errors as [Diagnostic, ...Diagnostic[]]));
  }

  result(): Extraction {
    const all = [...this.#included.values()];
    const isAdded = (each: Included): boolean =>
      each.atom.kind === 'function' && !this.#changed.has(each.atom) && coldParent(each.atom.name) === undefined;
    const isData = ({ atom }: Included): boolean => atom.kind === 'data' && atom.size > 0 && !isContentOnly(atom.name);
    return {
      pieces: [...new Set(all.map((each) => each.piece)), ...this.#entries],
      replaced: this.#replaced,
      added: all.filter(isAdded).map(({ unit, atom }) => ({ unit, name: atom.name, size: atom.size })),
      data: all.filter(isData).map(({ unit, atom }) => ({ unit, name: atom.name, size: atom.size, section: atom.section.name })),
      findings: this.#findings,
    };
  }

  /** Puts an atom of a patched object on the list, once. */
  #include(unit: ChangedUnit, atom: Atom): Included {
    const known = this.#included.get(atom);
    if (known !== undefined) return known;
    const { object } = unit.diff.patched;
    const bytes = Uint8Array.from(object.bytes(atom));
    for (const reference of object.references(atom)) bytes.fill(0, reference.offset, reference.offset + fieldSize(reference.type));
    const section = outputSection(atom.section.name);
    // equal literals of all units become one
    const key = atom.kind === 'string' ? `${section} ${Buffer.from(bytes).toString('latin1')}` : undefined;
    const twin = key === undefined ? undefined : this.#strings.get(key);
    const piece: Piece = twin ?? {
      section,
      type: atom.section.type,
      flags: atom.section.flags & (SHF.WRITE | SHF.ALLOC | SHF.EXECINSTR | SHF.MERGE | SHF.STRINGS),
      align: alignmentOf(atom),
      entsize: atom.section.entsize,
      size: atom.size,
      bytes: atom.section.type === SHT.NOBITS ? new Uint8Array(0) : bytes,
      symbols: atom.symbols.map((symbol) => ({ name: symbol.name, offset: Number(symbol.value) - atom.start, size: symbol.size, type: symbol.type })),
      relocations: [],
    };
    if (key !== undefined) this.#strings.set(key, piece);
    const included = { unit, atom, piece };
    this.#included.set(atom, included);
    this.#queue.push(included);
    return included;
  }

  /** Resolves what an included atom refers to, and brings the table entries that are about it. */
  async #follow({ unit, atom, piece }: Included): Promise<void> {
    if (piece.relocations.length === 0) {
      for (const reference of unit.diff.patched.object.references(atom)) {
        const relocation = await this.#relocate(unit, atom, reference, isBranch(unit, atom, reference));
        if (relocation !== undefined) piece.relocations.push(relocation);
      }
    }
    for (const entry of unit.diff.patched.entries.get(atom) ?? []) await this.#followEntry(unit, atom, entry);
  }

  async #followEntry(unit: ChangedUnit, atom: Atom, entry: Entry): Promise<void> {
    if (!(await this.#keepEntry(unit, atom, entry))) return;
    const section = unit.diff.patched.object.elf.sections.find((each) => each.name === entry.table)!;
    const bytes = Uint8Array.from(entry.bytes);
    for (const reference of entry.references) bytes.fill(0, reference.offset, reference.offset + fieldSize(reference.type));
    const made: Piece = { ...tablePiece(section.name, section.type, section.flags, tableAlign(section), entry.table === '.orc_unwind_ip' ? 0 : section.entsize, bytes), relocations: [] };
    this.#entries.push(made);
    if (entry.orc !== undefined) {
      const orc = unit.diff.patched.object.elf.sections.find((each) => each.name === '.orc_unwind')!;
      this.#entries.push(tablePiece(orc.name, orc.type, orc.flags, 1, 0, Uint8Array.from(entry.orc)));
    }
    for (const reference of entry.references) {
      const relocation = await this.#relocate(unit, atom, reference, true);
      if (relocation === undefined) continue;
      if (relocation.target.kind === 'klp' && relocation.target.applyWith !== 'vmlinux') {
        this.#findings.push(say.lateTable({ unit: unit.source, function: functionOf(atom), table: entry.table, symbol: relocation.target.name }));
      }
      made.relocations.push(relocation);
    }
  }

  /** Jump labels and static calls whose key lies in a module cannot be handed to the kernel; some need not be. */
  async #keepEntry(unit: ChangedUnit, atom: Atom, entry: Entry): Promise<boolean> {
    const isJump = entry.table === '__jump_table';
    if (!isJump && entry.table !== '.static_call_sites') return true;
    const key = entry.references.at(-1)!.target;
    const where = { unit: unit.source, function: functionOf(atom) };
    const home = await this.#homeOf(unit, atom, key);
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

  /** The klp object that a key lies in; undefined when the patch itself brings it. */
  async #homeOf(unit: ChangedUnit, atom: Atom, key: Target): Promise<string | undefined> {
    const target = await this.#targetOf(unit, atom, key, false);
    if (target.kind === 'piece') return undefined;
    return target.kind === 'export' ? 'vmlinux' : target.object;
  }

  async #relocate(unit: ChangedUnit, atom: Atom, reference: Reference, branch: boolean): Promise<PieceRelocation | undefined> {
    const { offset, type } = reference;
    const user = { unit: unit.source, function: functionOf(atom) };
    if (type === 0) return undefined;
    if (fieldSize(type) < 4 || type === 9) {
      this.#findings.push(say.relocationUnsupported({ ...user, type, offset }));
      return undefined;
    }
    try {
      const target = await this.#targetOf(unit, atom, reference.target, branch);
      return { offset, type, target, addend: reference.target.addend };
    } catch (error) {
      if (!(error instanceof LivegraftError)) throw error;
      this.#findings.push(...error.diagnostics);
      return undefined;
    }
  }

  async #targetOf(unit: ChangedUnit, from: Atom, target: Target, branch: boolean): Promise<PieceTarget> {
    const user = { unit: unit.source, function: functionOf(from) };
    if (target.kind === 'symbol') {
      const fresh = this.#newGlobals.get(target.symbol.name);
      if (fresh !== undefined) return { kind: 'piece', piece: this.#include(fresh.unit, fresh.atom).piece };
      return await resolveOutside(unit.space, user, target.symbol.name);
    }
    const { atom } = target;
    const here = (): PieceTarget => ({ kind: 'piece', piece: this.#include(unit, atom).piece });
    const original = unit.diff.correlation.originalOf.get(atom);
    switch (atom.kind) {
      case 'string':
      case 'constant':
      case 'fragment':
        return here();
      case 'unnamed':
        if (atom.role === 'once') throw new LivegraftError(say.initReference({ ...user, symbol: atom.section.name }));
        if (atom.role === 'data') throw new LivegraftError(say.unnamedData({ ...user, section: atom.section.name }));
        return here();
      case 'function':
        if (coldParent(atom.name) !== undefined) return here();
        if (original === undefined) {
          if (!branch) this.#findings.push(say.pointerEscapes({ ...user, target: atom.name }));
          return here();
        }
        // a call goes straight to the new code; a stored address must stay the one that everybody knows
        if (branch && this.#changed.has(atom)) return here();
        break;
      case 'data':
        if (original === undefined || atom.size === 0 || isContentOnly(atom.name)) return here();
        break;
    }
    if (original.role === 'once') throw new LivegraftError(say.initReference({ ...user, symbol: original.name }));
    const global = original.symbols.find((symbol) => symbol.binding !== STB.LOCAL);
    // a weak definition may have been overridden: the linker's choice has that name
    if (global?.binding === STB.WEAK) return await resolveOutside(unit.space, user, global.name);
    return resolveOwn(unit.space, user, (global ?? original).name, unit.placement.addressOf((global ?? original).name), global !== undefined);
  }
}

/** True when a relocated field is the displacement of a call or jump, not an address that something might keep. */
function isBranch(unit: ChangedUnit, atom: Atom, reference: Reference): boolean {
  if (reference.implied || atom.role !== 'text') return reference.implied ?? false;
  const bytes = unit.diff.patched.object.bytes(atom);
  const before = bytes[reference.offset - 1] ?? 0;
  if (reference.type !== 2 && reference.type !== 4) return false;
  return before === 0xe8 || before === 0xe9 || ((before & 0xf0) === 0x80 && bytes[reference.offset - 2] === 0x0f);
}

function functionOf(atom: Atom): string {
  return atom.name === '' ? atom.section.name : (coldParent(atom.name) ?? atom.name);
}

/** `.text.f` → `.text`, `.rodata.f.str1.1` → `.rodata.str1.1`; what the kernel names itself (`.data..read_mostly`) stays. */
export function outputSection(name: string): string {
  const literal = /^\.rodata\..*(str\d+\.\d+)$/.exec(name);
  if (literal !== null) return `.rodata.${literal[1]}`;
  const split = /^(\.text\.unlikely|\.text\.hot|\.text|\.data\.rel\.ro|\.data\.rel|\.data|\.rodata|\.bss)\.[^.]/.exec(name);
  if (split === null || /^\.rodata\.(cst|str)\d/.test(name)) return name;
  return split[1]!;
}

/** An atom in the middle of a section keeps the alignment that its offset happens to have, up to the section's own. */
function alignmentOf(atom: Atom): number {
  if (atom.kind === 'string') return 1;
  const own = Math.max(1, atom.section.addralign);
  if (atom.start === 0) return own;
  const offset = atom.start & -atom.start;
  return Math.min(own, offset);
}

function tableAlign(section: { addralign: number; name: string }): number {
  return Math.max(1, section.addralign);
}

function tablePiece(name: string, type: number, flags: number, align: number, entsize: number, bytes: Uint8Array): Piece {
  return { section: name, type, flags: flags & (SHF.WRITE | SHF.ALLOC | SHF.EXECINSTR), align, entsize, size: bytes.length, bytes, symbols: [], relocations: [] };
}
