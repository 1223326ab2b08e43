/**
 * Machine code and who its direct calls lead to, by way of patched units first and the shipped objects then. Calls are found without
 * decoding: a branch opcode whose distance leads to the very start of a function. By chance four bytes in the middle of an instruction do
 * that about once in 40,000 (10⁵ starts in 2³² distances), which is little for a search that decides nothing.
 */
import type { KernelSymbols } from '@livegraft/binfmt/kallsyms';
import type { ChangedUnit } from '../../klp/unit.ts';
import type { Atom } from '../../objdiff/atoms.ts';
import { coldParent } from '../../objdiff/names.ts';
import type { ShippedObject, ShippedSymbol } from '../../provenance/shipped.ts';
import { opcodeBefore } from '../../support/branches.ts';

export interface Call {
  /** Of the instruction, bytes in the function. */
  readonly offset: number;
  readonly name: string;
}

export interface Code {
  /** Without what the compiler adds to it: `.constprop.0`, `.isra.0`, `.part.0`. */
  readonly name: string;
  /** The unit, while it is one of the patched ones; empty for shipped code. */
  readonly unit: string;
  readonly bytes: Uint8Array;
  /** By rising offset; without the cold part, which is the unlikely one. */
  readonly calls: readonly Call[];
  /** Undefined for names that stand for several functions, or none. */
  callee(name: string): Code | undefined;
}

type Space = ChangedUnit['space'];

export class KernelCode {
  readonly #units: readonly ChangedUnit[];
  readonly #symbols: KernelSymbols;
  readonly #atoms = new Map<Atom, Code>();
  readonly #shipped = new Map<string, Code>();
  readonly #functions = new Map<ChangedUnit, ReadonlyMap<string, Atom>>();

  /** @param symbols the kernel’s, in order of their addresses */
  constructor(units: readonly ChangedUnit[], symbols: KernelSymbols) {
    this.#units = units;
    this.#symbols = symbols;
  }

  /** A function of a patched unit. */
  of(unit: ChangedUnit, atom: Atom): Code {
    const known = this.#atoms.get(atom);
    if (known !== undefined) return known;
    const { object } = unit.diff.patched;
    const bytes = object.bytes(atom);
    const calls = object.references(atom).flatMap(({ offset, target }) => {
      const at = opcodeBefore(bytes, offset);
      const name =
        target.kind === 'symbol' ? target.symbol.name : target.atom.kind === 'function' ? target.atom.name : '';
      return at === undefined || name === '' || coldParent(name) !== undefined || name === atom.name
        ? []
        : [{ offset: at, name }];
    });
    const code: Code = {
      name: plain(atom.name),
      unit: unit.source,
      bytes,
      calls,
      callee: (name) => this.#called(unit, name),
    };
    this.#atoms.set(atom, code);
    return code;
  }

  #called(unit: ChangedUnit, name: string): Code | undefined {
    const own = this.#functionsOf(unit).get(name);
    if (own !== undefined) return this.of(unit, own);
    const other = this.#units.find((each) => each.space.own === unit.space.own && this.#functionsOf(each).has(name));
    const atom = other && this.#functionsOf(other).get(name);
    const isGlobal = atom?.symbols.some(({ binding }) => binding !== 0) === true;
    return other !== undefined && atom !== undefined && isGlobal ? this.of(other, atom) : this.named(unit.space, name);
  }

  #functionsOf(unit: ChangedUnit): ReadonlyMap<string, Atom> {
    const known = this.#functions.get(unit);
    if (known !== undefined) return known;
    const made = new Map(
      unit.diff.patched.object.atoms
        .filter(({ kind }) => kind === 'function')
        .flatMap((atom) => atom.symbols.map(({ name }) => [name, atom] as const)),
    );
    this.#functions.set(unit, made);
    return made;
  }

  /** A function of the unit’s object, or of the kernel. */
  named(space: Space, name: string): Code | undefined {
    for (const object of new Set([space.own, space.vmlinux])) {
      const all = object.named(name);
      const [found, ...more] = all.some(({ global }) => global) ? all.filter(({ global }) => global) : all;
      if (found !== undefined) return more.length > 0 ? undefined : this.#shippedCode(space, object, found);
    }
    return undefined;
  }

  #shippedCode(space: Space, object: ShippedObject, symbol: ShippedSymbol): Code | undefined {
    const key = `${object.name} ${symbol.address}`;
    const known = this.#shipped.get(key);
    if (known !== undefined) return known;
    const bytes = object === space.vmlinux ? this.#bytesTo(object, symbol) : bytesToNext(object, symbol);
    if (bytes === undefined) return undefined;
    const calls: Call[] = [];
    const targets = new Map<string, ShippedSymbol>();
    for (let field = 1; field + 4 <= bytes.length; field++) {
      const offset = opcodeBefore(bytes, field);
      if (offset === undefined) continue;
      const reference = object.reference(symbol.address + BigInt(field), PLT32);
      if (reference === undefined) continue;
      if (reference.kind === 'external') {
        calls.push({ offset, name: reference.name });
        continue;
      }
      // S + A, where A is -4: the field counts from its own end
      const address = reference.value + 4n;
      const [target] = address === symbol.address ? [] : object.at(address);
      if (target === undefined || coldParent(target.name) !== undefined) continue;
      calls.push({ offset, name: target.name });
      targets.set(target.name, target);
    }
    const code: Code = {
      name: plain(symbol.name),
      unit: '',
      bytes,
      calls,
      callee: (name) => {
        const target = targets.get(name);
        return target === undefined ? this.named(space, name) : this.#shippedCode(space, object, target);
      },
    };
    this.#shipped.set(key, code);
    return code;
  }

  /** Up to the next symbol, as kallsyms gives sizes. */
  #bytesTo(object: ShippedObject, { address }: ShippedSymbol): Uint8Array | undefined {
    const last = this.#symbols.at(address).at(-1);
    const next = last && this.#symbols.all[last.index + 1];
    const size = next === undefined ? 0 : Number(next.address - address);
    return size <= 0 || size > mostBytes ? undefined : object.bytes(address, size);
  }
}

const PLT32 = 4;
/** Of a function that is looked at. */
const mostBytes = 1 << 16;

function bytesToNext(object: ShippedObject, { address }: ShippedSymbol): Uint8Array | undefined {
  let size = 1;
  while (size < mostBytes && object.at(address + BigInt(size)).length === 0) {
    if (object.bytes(address, size + 1) === undefined) break;
    size++;
  }
  return object.bytes(address, size);
}

/** `f.constprop.0.isra.0` → `f`; a cold part stays one. */
export function plain(name: string): string {
  return name.replace(/\.(constprop|isra|part)\..*$/, '');
}
