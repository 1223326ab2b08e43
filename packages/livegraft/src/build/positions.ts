/** Where the functions of one object file are in a kernel: `livegraft diff --kernel` has no build around it. */
import type { ElfFile } from '@livegraft/binfmt/elf/types';
import type { Kernel } from '../kernel/types.ts';
import { cutObject } from '../objdiff/atoms.ts';
import { placeUnit } from '../provenance/place.ts';
import { positionOf } from '../provenance/shipped.ts';
import { ShippedObjects } from './shipped-objects.ts';

/**
 * The livepatch core's position of each function whose code is the shipped one: 0 where it is alone of its name.
 * @param object `vmlinux` or a module
 */
export async function positionsIn(
  kernel: Kernel,
  object: string,
  original: ElfFile,
): Promise<ReadonlyMap<string, number>> {
  const own = await (await ShippedObjects.open(kernel)).object(object);
  const found = new Map<string, number>();
  for (const proof of placeUnit(cutObject(original), own).functions.values()) {
    if (proof.state !== 'equal') continue;
    const position = positionOf(own, proof.name, proof.address);
    if (position > 0) found.set(proof.name, own.named(proof.name).length === 1 ? 0 : position);
  }
  return found;
}
