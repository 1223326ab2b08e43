/** A changed unit and the kernel around it from a few readable lines, for tests. */
import type { ExportedSymbol } from '../kernel/symvers.ts';
import { cutObject } from '../objdiff/atoms.ts';
import { diffObjects } from '../objdiff/diff.ts';
import { object, type SectionLines } from '../objdiff/testing/object.ts';
import { placeUnit } from '../provenance/place.ts';
import { type ShippedObject, shippedModule } from '../provenance/shipped.ts';
import type { SymbolSpace } from './resolve.ts';
import type { ChangedUnit } from './unit.ts';

export type Lines = Readonly<Record<string, SectionLines>>;

export interface Surroundings {
  /** What vmlinux is made of; as a relocatable file, so that addresses need not be made up. */
  readonly vmlinux?: Lines;
  /** The unit belongs to this module instead of vmlinux; by default it is linked from the unit alone. */
  readonly module?: string;
  readonly shipped?: Lines;
  /** The original as the shipped flags make it; the original itself unless given. */
  readonly proof?: Lines;
  readonly exports?: readonly (readonly [name: string, owner: string, namespace?: string])[];
  readonly others?: Readonly<Record<string, Lines>>;
  readonly dependencies?: readonly string[];
}

export function spaceOf(original: Lines, surroundings: Surroundings = {}): SymbolSpace {
  const { module, exports = [], others = {}, dependencies = [] } = surroundings;
  const shipped = surroundings.shipped ?? original;
  const vmlinux = shippedModule('vmlinux', object(module === undefined ? shipped : (surroundings.vmlinux ?? {})));
  return {
    vmlinux,
    own: module === undefined ? vmlinux : shippedModule(module, object(shipped)),
    exports: new Map(
      exports.map(([name, owner, namespace = '']): [string, ExportedSymbol] => [
        name,
        { owner, namespace, crc: 0x1234, gpl: true },
      ]),
    ),
    module: (name): Promise<ShippedObject | undefined> =>
      Promise.resolve(others[name] === undefined ? undefined : shippedModule(name, object(others[name]))),
    dependencies: new Set(dependencies),
  };
}

export function unitOf(original: Lines, patched: Lines, surroundings: Surroundings = {}): ChangedUnit {
  const space = spaceOf(original, surroundings);
  return {
    source: 'unit.c',
    diff: diffObjects('unit.c', object(original), object(patched)),
    placement: placeUnit(cutObject(object(surroundings.proof ?? original)), space.own),
    space,
  };
}
