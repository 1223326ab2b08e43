/**
 * Tables whose entries belong to functions: where a BUG is, which instruction an alternative replaces, what a return site is.
 * The size of an entry is read from the section itself: its relocations repeat with the entries' stride
 * (struct bug_entry, exception_table_entry, alt_instr, jump_entry … differ between kernels; no table by version here).
 */
import { SHF, SHT } from '@livegraft/binfmt/elf/constants';
import type { ElfRelocation, ElfSection } from '@livegraft/binfmt/elf/types';
import type { Atom, Reference, UnitObject } from './atoms.ts';
import { within } from './atoms.ts';
import { roleOf } from './sections.ts';

export interface Entry {
  /** The table's section name. */
  readonly table: string;
  /** Offset in the table, bytes. */
  readonly start: number;
  readonly bytes: Uint8Array;
  /** Offsets are relative to the entry; the first one points at the place in the owner. */
  readonly references: readonly Reference[];
  /** The function (or fragment) that the entry is about. */
  readonly owner: Atom;
  /** Offset in the owner, bytes. */
  readonly at: number;
  /** For .orc_unwind_ip: the bytes of the same entry of .orc_unwind. */
  readonly orc?: Uint8Array;
}

/** The entries of one object, by the atom they are about. */
export function entriesOf(object: UnitObject): ReadonlyMap<Atom, readonly Entry[]> {
  const found = new Map<Atom, Entry[]>();
  const orc = object.elf.sections.find((section) => section.name === '.orc_unwind');
  for (const section of object.elf.sections) {
    if (roleOf(section) !== 'table' || section.type === SHT.NOBITS || section.size === 0 || section === orc) continue;
    const stride = strideOf(section, (relocation) => pointsToCode(object, section, relocation));
    const count = section.size / stride;
    const orcStride = section.name === '.orc_unwind_ip' && orc !== undefined ? orc.size / count : 0;
    if (!Number.isInteger(orcStride)) throw new TableError(section, `${orc?.size} bytes of .orc_unwind for ${count} entries`);
    for (let start = 0; start < section.size; start += stride) {
      const entry = readEntry(object, section, start, stride);
      const index = start / stride;
      const whole: Entry =
        orcStride > 0 ? { ...entry, orc: orc!.data.subarray(index * orcStride, (index + 1) * orcStride) } : entry;
      const list = found.get(entry.owner) ?? [];
      list.push(whole);
      found.set(entry.owner, list);
    }
  }
  for (const list of found.values()) list.sort((a, b) => a.table.localeCompare(b.table) || a.at - b.at || a.start - b.start);
  return found;
}

/** A table whose layout could not be read from its relocations. */
export class TableError extends Error {
  override readonly name = 'TableError';
  readonly section: string;
  constructor(section: ElfSection, what: string) {
    super(`${section.name}: ${what}`);
    this.section = section.name;
  }
}

function readEntry(object: UnitObject, section: ElfSection, start: number, stride: number): Entry {
  const relocations = within(section.relocations, start, start + stride);
  const references = relocations.map(
    (relocation): Reference => ({
      offset: relocation.offset - start,
      type: relocation.type,
      target: object.resolve(section, relocation),
    }),
  );
  const first = references[0]?.target;
  if (first?.kind !== 'atom') throw new TableError(section, `the entry at 0x${start.toString(16)} does not point into this object`);
  return {
    table: section.name,
    start,
    bytes: section.data.subarray(start, start + stride),
    references,
    owner: first.atom,
    at: first.at,
  };
}

function pointsToCode(object: UnitObject, section: ElfSection, relocation: ElfRelocation): boolean {
  const target = object.resolve(section, relocation);
  return target.kind === 'atom' && (target.atom.section.flags & SHF.EXECINSTR) !== 0;
}

/**
 * The size of one entry, bytes: the smallest period that the section's relocations (offset and type) follow,
 * each entry beginning with one that points to code of this object. Throws TableError when there is none.
 */
export function strideOf(section: ElfSection, isCode: (relocation: ElfRelocation) => boolean): number {
  const { relocations, size } = section;
  if (relocations.length === 0 || relocations[0]!.offset !== 0) throw new TableError(section, 'its first bytes are not relocated');
  for (let stride = 4; stride <= size; stride++) {
    if (size % stride !== 0 || relocations.length % (size / stride) !== 0 || !repeats(relocations, stride, size)) continue;
    const each = relocations.length / (size / stride);
    if (relocations.every((relocation, i) => i % each !== 0 || isCode(relocation))) return stride;
  }
  throw new TableError(section, `no entry size fits its ${relocations.length} relocations and ${size} bytes`);
}

function repeats(relocations: readonly ElfRelocation[], stride: number, size: number): boolean {
  const each = relocations.length / (size / stride);
  return relocations.every((relocation, i) => {
    const pattern = relocations[i % each]!;
    return relocation.offset === Math.floor(i / each) * stride + pattern.offset && relocation.type === pattern.type && pattern.offset < stride;
  });
}
