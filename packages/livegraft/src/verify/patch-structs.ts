/** Reads `struct klp_patch` and what hangs on it out of a module's data, through its relocations (include/linux/livepatch.h). */
import type { Btf } from '@livegraft/binfmt/btf';
import { SHF } from '@livegraft/binfmt/elf/constants';
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import { layoutOf } from './layouts.ts';
import type { LivepatchModule } from './module.ts';

export interface PatchFunction {
  /** klp object. */
  readonly object: string;
  readonly oldName: string;
  readonly oldPosition: number;
  /** The new function. */
  readonly section: ElfSection;
  readonly offset: number;
  /** klp_func.new_func, which points there. */
  readonly pointer: Spot;
}

export interface PatchState {
  readonly id: bigint;
  readonly version: number;
}

export interface PatchObject {
  readonly name: string;
  /** Its struct klp_object. */
  readonly spot: Spot;
}

export interface PatchStructs {
  readonly functions: PatchFunction[];
  readonly objects: PatchObject[];
  readonly states: PatchState[];
  readonly replace: boolean;
}

export interface Spot {
  readonly section: ElfSection;
  readonly offset: number;
}

/** Thrown when the structures do not hold together. */
export class StructureError extends Error {
  override readonly name = 'StructureError';
}

/** The functions that the module replaces, in the order of its tables. Throws StructureError, FormatError. */
export function readPatchStructs(module: LivepatchModule, btf: Btf): PatchStructs {
  const [klpPatch, klpObject, klpFunc] = ['klp_patch', 'klp_object', 'klp_func'].map((name) => layoutOf(btf, name));
  const patch = findPatch(module);
  requireRoom(patch, klpPatch!.size, 'struct klp_patch');
  const self = pointer(module, patch, klpPatch!.at('mod'));
  if (self?.section.name !== '.gnu.linkonce.this_module' || self.offset !== 0)
    throw new StructureError('klp_patch.mod is not the module itself');
  let object = pointer(module, patch, klpPatch!.at('objs'));
  if (object === undefined) throw new StructureError('klp_patch.objs is NULL');
  const functions: PatchFunction[] = [];
  const objects: PatchObject[] = [];
  for (; ; object = { ...object, offset: object.offset + klpObject!.size }) {
    requireRoom(object, klpObject!.size, 'struct klp_object');
    const namePointer = pointer(module, object, klpObject!.at('name'));
    let func = pointer(module, object, klpObject!.at('funcs'));
    if (namePointer === undefined && func === undefined) break;
    if (func === undefined) throw new StructureError('klp_object.funcs is NULL');
    const name = namePointer === undefined ? 'vmlinux' : module.text(namePointer.section, namePointer.offset);
    if (name === undefined || name.length > 55) throw new StructureError('klp_object.name is no name of a module');
    if (objects.some((other) => other.name === name)) throw new StructureError(`two objects are called ${name}`);
    objects.push({ name, spot: object });
    for (; ; func = { ...func, offset: func.offset + klpFunc!.size }) {
      requireRoom(func, klpFunc!.size, 'struct klp_func');
      const old = pointer(module, func, klpFunc!.at('old_name'));
      const made = pointer(module, func, klpFunc!.at('new_func'));
      const position = word(func, klpFunc!.at('old_sympos'));
      if (old === undefined && made === undefined && position === 0) break;
      const oldName = old && module.text(old.section, old.offset);
      if (oldName === undefined || oldName.length >= 512)
        throw new StructureError('klp_func.old_name is no symbol name');
      if (made === undefined) throw new StructureError(`klp_func.new_func of ${oldName} is NULL`);
      if ((made.section.flags & SHF.EXECINSTR) === 0)
        throw new StructureError(`klp_func.new_func of ${oldName} is no code`);
      const spot = { section: func.section, offset: func.offset + klpFunc!.at('new_func') };
      functions.push({ object: name, oldName, oldPosition: position, ...made, pointer: spot });
    }
  }
  if (patch.section.data.length === 0) throw new StructureError('struct klp_patch is empty');
  const replace = patch.section.data[patch.offset + klpPatch!.at('replace')] !== 0;
  return { functions, objects, states: readStates(module, btf, patch), replace };
}

/** struct klp_state, up to the one without a number. */
function readStates(module: LivepatchModule, btf: Btf, patch: Spot): PatchState[] {
  let spot = pointer(module, patch, layoutOf(btf, 'klp_patch').at('states'));
  if (spot === undefined) return [];
  const layout = layoutOf(btf, 'klp_state');
  const states: PatchState[] = [];
  for (; ; spot = { ...spot, offset: spot.offset + layout.size }) {
    requireRoom(spot, layout.size, 'struct klp_state');
    const view = new DataView(spot.section.data.buffer, spot.section.data.byteOffset, spot.section.data.length);
    const id = view.getBigUint64(spot.offset + layout.at('id'), true);
    if (id === 0n) return states;
    states.push({ id, version: view.getUint32(spot.offset + layout.at('version'), true) });
  }
}

export function spotIsZero({ section, offset }: Spot, at: number, size: number): boolean {
  return section.data.subarray(offset + at, offset + at + size).every((byte) => byte === 0);
}

/** What init_module() hands to klp_enable_patch(): the only writable thing it refers to. */
function findPatch(module: LivepatchModule): Spot {
  const init = module.elf.symbols.find((symbol) => symbol.name === 'init_module' && symbol.section !== 0);
  const section = init && module.elf.sections[init.section];
  if (init === undefined || section === undefined) throw new StructureError('it has no init_module()');
  const size = init.size > 0 ? init.size : section.size - Number(init.value);
  const fields = module.fieldsIn(section, Number(init.value), Number(init.value) + size);
  if (!fields.some(({ symbol }) => symbol.name === 'klp_enable_patch'))
    throw new StructureError('init_module() does not call klp_enable_patch()');
  const spots = fields.flatMap((field): Spot[] => {
    const referent = module.referent(field);
    if (referent.kind !== 'inside' || (referent.section.flags & SHF.WRITE) === 0) return [];
    return [{ section: referent.section, offset: referent.offset + (field.type === 2 || field.type === 4 ? 4 : 0) }];
  });
  if (spots.length !== 1)
    throw new StructureError(`init_module() refers to ${spots.length} variables; one klp_patch expected`);
  return spots[0]!;
}

function requireRoom({ section, offset }: Spot, size: number, what: string): void {
  if (offset < 0 || offset + size > section.size)
    throw new StructureError(`${what} at 0x${offset.toString(16)} leaves ${section.name}`);
}

/** A section without bytes is zero throughout: a list without functions. */
function word({ section, offset }: Spot, at: number): number {
  if (section.data.length === 0) return 0;
  const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.length);
  return Number(view.getBigUint64(offset + at, true));
}

export function pointer(module: LivepatchModule, spot: Spot, at: number): Spot | undefined {
  const field = module.fieldAt(spot.section, spot.offset + at);
  if (field === undefined) {
    if (word(spot, at) === 0) return undefined;
    throw new StructureError(`${module.describe(spot.section, spot.offset + at)} is a pointer without a relocation`);
  }
  const referent = module.referent(field);
  if (field.type !== 1 || referent.kind !== 'inside')
    throw new StructureError(
      `${module.describe(spot.section, spot.offset + at)} points to ${module.describeReferent(referent)}`,
    );
  return { section: referent.section, offset: referent.offset };
}
