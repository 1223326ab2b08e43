/**
 * How long the entries of a table are. The section itself says so: its relocations repeat with the entries' stride
 * (struct bug_entry, exception_table_entry, alt_instr, jump_entry … differ between kernels; no table by version here).
 */
import type { ElfRelocation, ElfSection } from '@livegraft/binfmt/elf/types';
import { ObjectError } from './object-error.ts';
import { fieldSize } from './relocations.ts';

/** Sizes that the kernels since 4.6 give the entries of a table, bytes; 4 where none is named. */
const sizes: Readonly<Record<string, readonly number[]>> = {
  __bug_table: [6, 8, 10, 12, 16, 24],
  __ex_table: [12, 16],
  __jump_table: [16, 24],
  __mcount_loc: [8],
  '.altinstructions': [12, 13, 14],
  '.parainstructions': [16],
  '.static_call_sites': [8],
};

/**
 * The size of one entry, bytes: the smallest of the known ones whose period the section's relocations (offset and type)
 * follow, each entry beginning with one that points to code of this object. Throws ObjectError when there is none.
 */
export function strideOf(section: ElfSection, isCode: (relocation: ElfRelocation) => boolean): number {
  const { relocations, size } = section;
  if (relocations.length === 0 || relocations[0]!.offset !== 0)
    throw new ObjectError(section, 'its first bytes are not relocated');
  for (const stride of sizes[section.name] ?? [4]) {
    if (fits(section, stride) && relocations.every((each) => each.offset % stride !== 0 || isCode(each))) return stride;
  }
  throw new ObjectError(section, `no entry size fits its ${relocations.length} relocations and ${size} bytes`);
}

/** Number of entries of that size. */
export function countOf({ name, size }: ElfSection, stride: number): number {
  // the last paravirt_patch_site may lack what only aligns the next one
  const whole = name === '.parainstructions' ? Math.ceil(size / 8) * 8 : size;
  return whole / stride;
}

function fits(section: ElfSection, stride: number): boolean {
  const count = countOf(section, stride);
  if (!Number.isInteger(count)) return false;
  const types = new Map<number, number>();
  let starts = 0;
  for (const { offset, type } of section.relocations) {
    const at = offset % stride;
    if (at === 0) starts++;
    if (at + fieldSize(type) > stride || (types.get(at) ?? type) !== type) return false;
    types.set(at, type);
  }
  // before 5.13 an alternative without a replacement has no relocation for it
  const regular = section.name === '.altinstructions' || section.relocations.length === count * types.size;
  return starts === count && regular;
}

/** Offsets of `instrlen` and `replacementlen` in struct alt_instr, by its size: 13 until 5.12, 12 until 6.2, then 14. */
const lengths: Readonly<Record<number, readonly [number, number]>> = { 12: [10, 11], 13: [10, 11], 14: [12, 13] };

/** How many bytes of code an alternative replaces, and how many it puts there. */
export function alternativeLengths(section: ElfSection, entry: Uint8Array): { original: number; replacement: number } {
  const offsets = lengths[entry.length];
  if (offsets === undefined) throw new ObjectError(section, `entries of ${entry.length} bytes are not known`);
  return { original: entry[offsets[0]]!, replacement: entry[offsets[1]]! };
}

/** Bytes of code, from the entry's place on, that the kernel overwrites when it applies the entry; 0 for other tables. */
export function overwritten(section: ElfSection, entry: Uint8Array): number {
  if (section.name === '.altinstructions') return alternativeLengths(section, entry).original;
  // struct paravirt_patch_site: address, type, len
  return section.name === '.parainstructions' ? entry[9]! : 0;
}
