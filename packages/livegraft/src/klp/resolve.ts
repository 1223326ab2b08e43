/** Where a symbol that the new code uses, but does not bring along, is to be found: exported by vmlinux, or named to the livepatch core. */
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { initReference, otherObjectSymbol } from '../diagnostics/klp.ts';
import { positionUnstable, symbolUnresolved } from '../diagnostics/provenance.ts';
import type { ExportedSymbol } from '../kernel/symvers.ts';
import { positionOf, type ShippedObject } from '../provenance/shipped.ts';
import type { PieceTarget } from './piece.ts';

export interface SymbolSpace {
  readonly vmlinux: ShippedObject;
  /** The klp object that the referring code belongs to; the same as `vmlinux` for built-in code. */
  readonly own: ShippedObject;
  /** From Module.symvers. */
  readonly exports: ReadonlyMap<string, ExportedSymbol>;
  /** A shipped module by name; undefined when there is none. */
  readonly module: (name: string) => Promise<ShippedObject | undefined>;
  /** Modules that the own module needs, directly or by way of others: they are loaded when it is. */
  readonly dependencies: ReadonlySet<string>;
}

interface User {
  readonly unit: string;
  readonly function: string;
}

/** A symbol that the unit itself defines in its original form, whose address in the shipped object is known or unique. */
export function resolveOwn(
  space: SymbolSpace,
  user: User,
  name: string,
  address: bigint | undefined,
  isGlobal: boolean,
): PieceTarget {
  if (isGlobal && space.own === space.vmlinux && isExportedByVmlinux(space, name)) return { kind: 'export', name };
  const candidates = space.own.named(name);
  if (candidates.length === 0) {
    throw new LivegraftError(
      symbolUnresolved({ unit: user.unit, name, object: space.own.name, what: 'it has no symbol of that name' }),
    );
  }
  if (candidates.length > 1 && address === undefined) {
    const what = `it has ${candidates.length} symbols of that name, and nothing tells which one is this unit's`;
    throw new LivegraftError(symbolUnresolved({ unit: user.unit, name, object: space.own.name, what }));
  }
  return klpTarget(space, user, space.own, name, address ?? candidates[0]!.address);
}

/** A symbol that the unit takes from elsewhere, by the linker's rules: the own module first, then what vmlinux and modules export. */
export async function resolveOutside(space: SymbolSpace, user: User, name: string): Promise<PieceTarget> {
  const own = space.own.named(name).filter((symbol) => symbol.global);
  if (space.own !== space.vmlinux && own.length > 0) return klpTarget(space, user, space.own, name, own[0]!.address);
  if (isExportedByVmlinux(space, name)) return { kind: 'export', name };
  const exported = space.exports.get(name);
  if (exported !== undefined && exported.owner !== 'vmlinux')
    return await resolveInModule(space, user, name, exported.owner);
  const builtIn = space.vmlinux.named(name).filter((symbol) => symbol.global);
  if (builtIn.length === 0) {
    const what =
      exported === undefined
        ? 'no global symbol of that name, and no module exports it'
        : `Module.symvers says ${exported.owner}`;
    throw new LivegraftError(symbolUnresolved({ unit: user.unit, name, object: 'the kernel', what }));
  }
  if (builtIn.some((symbol) => symbol.address !== builtIn[0]!.address)) {
    const what = `it has ${builtIn.length} global symbols of that name`;
    throw new LivegraftError(symbolUnresolved({ unit: user.unit, name, object: 'vmlinux', what }));
  }
  if (isFreed(space.vmlinux, builtIn[0]!.address)) throw new LivegraftError(initReference({ ...user, symbol: name }));
  return klpTarget(space, user, space.vmlinux, name, builtIn[0]!.address);
}

/** The kernel gives the memory between these two back once it has started (init/main.c, free_initmem()). */
function isFreed(vmlinux: ShippedObject, address: bigint): boolean {
  const [begin] = vmlinux.named('__init_begin');
  const [end] = vmlinux.named('__init_end');
  return begin !== undefined && end !== undefined && address >= begin.address && address < end.address;
}

async function resolveInModule(space: SymbolSpace, user: User, name: string, owner: string): Promise<PieceTarget> {
  const module = owner.slice(owner.lastIndexOf('/') + 1).replaceAll('-', '_');
  if (space.own === space.vmlinux || !space.dependencies.has(module)) {
    throw new LivegraftError(otherObjectSymbol({ ...user, symbol: name, owner: module, object: space.own.name }));
  }
  const object = await space.module(module);
  const symbol = object?.named(name).find((each) => each.global);
  if (object === undefined || symbol === undefined) {
    const what =
      object === undefined ? 'the module is not among the shipped ones' : 'it has no global symbol of that name';
    throw new LivegraftError(symbolUnresolved({ unit: user.unit, name, object: module, what }));
  }
  return klpTarget(space, user, object, name, symbol.address);
}

/** An ordinary reference is checked by CRC when the module is loaded: better than a livepatch symbol, where both would do. */
function isExportedByVmlinux(space: SymbolSpace, name: string): boolean {
  const exported = space.exports.get(name);
  return exported?.owner === 'vmlinux' && exported.namespace === '';
}

function klpTarget(space: SymbolSpace, user: User, object: ShippedObject, name: string, address: bigint): PieceTarget {
  const count = object.named(name).length;
  const position = positionOf(object, name, address);
  if (position === 0) {
    throw new LivegraftError(
      symbolUnresolved({
        unit: user.unit,
        name,
        object: object.name,
        what: 'no symbol of that name has the address that the shipped code uses',
      }),
    );
  }
  if (object.unstable(name)) throw new LivegraftError(positionUnstable({ unit: user.unit, name, object: object.name }));
  const applyWith = object === space.vmlinux ? 'vmlinux' : space.own.name;
  return { kind: 'klp', applyWith, object: object.name, name, position: count === 1 ? 0 : position };
}
