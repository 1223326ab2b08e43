/**
 * Tables whose entries belong to functions: where a BUG is, which instruction an alternative replaces, what a return site is.
 */
import { SHF, SHT } from '@livegraft/binfmt/elf/constants';
import type { ElfRelocation, ElfSection } from '@livegraft/binfmt/elf/types';
import type { Atom, Reference, UnitObject } from './atoms.ts';
import { ObjectError } from './object-error.ts';
import { within } from './relocations.ts';
import { roleOf } from './sections.ts';
import { alternativeLengths, countOf, overwritten, strideOf } from './table-layout.ts';

export interface Entry {
  /** The table's section name. */
  readonly table: string;
  readonly section: ElfSection;
  /** Offset in the table, bytes. */
  readonly start: number;
  readonly bytes: Uint8Array;
  /** Offsets are relative to the entry; the first one points at the place in the owner. */
  readonly references: readonly Reference[];
  /** The function (or fragment) that the entry is about. */
  readonly owner: Atom;
  /** Offset in the owner, bytes. */
  readonly at: number;
  /** Bytes of the owner, from `at` on, that the kernel overwrites when it applies this entry; 0 where it keeps their operands. */
  readonly overwrites: number;
  /** For .orc_unwind_ip: the same entry of .orc_unwind. */
  readonly orc?: { readonly section: ElfSection; readonly bytes: Uint8Array };
}

/** The entries of one object, by the atom they are about. */
export function entriesOf(object: UnitObject): ReadonlyMap<Atom, readonly Entry[]> {
  const found = new Map<Atom, Entry[]>();
  const orc = object.elf.sections.find((section) => section.name === '.orc_unwind');
  for (const section of object.elf.sections) {
    if (roleOf(section) !== 'table' || section.type === SHT.NOBITS || section.size === 0 || section === orc) continue;
    const stride = strideOf(section, (relocation) => pointsToCode(object, section, relocation));
    const count = countOf(section, stride);
    const orcStride = section.name === '.orc_unwind_ip' ? (orc?.size ?? 0) / count : 0;
    if (section.name === '.orc_unwind_ip' && (!Number.isInteger(orcStride) || orcStride < 1)) {
      throw new ObjectError(section, `${orc?.size ?? 0} bytes of .orc_unwind for ${count} entries`);
    }
    for (let start = 0; start < section.size; start += stride) {
      const entry = readEntry(object, section, start, stride);
      const index = start / stride;
      const whole: Entry =
        orcStride > 0
          ? { ...entry, orc: { section: orc!, bytes: orc!.data.subarray(index * orcStride, (index + 1) * orcStride) } }
          : entry;
      const list = found.get(entry.owner) ?? [];
      list.push(whole);
      found.set(entry.owner, list);
    }
  }
  for (const list of found.values()) {
    list.sort((a, b) => (a.table < b.table ? -1 : a.table > b.table ? 1 : a.at - b.at || a.start - b.start));
  }
  return found;
}

function readEntry(object: UnitObject, section: ElfSection, start: number, stride: number): Entry {
  const bytes = new Uint8Array(stride);
  bytes.set(section.data.subarray(start, start + stride));
  const all = within(section.relocations, start, start + stride);
  const alternative = section.name === '.altinstructions' ? alternativeLengths(section, bytes) : undefined;
  // an empty replacement lies nowhere: its address is that of the next one
  const relocations = alternative?.replacement === 0 ? all.slice(0, 1) : all;
  const references = relocations.map(
    (relocation): Reference => ({
      offset: relocation.offset - start,
      type: relocation.type,
      target: object.resolve(section, relocation),
    }),
  );
  const first = references[0]?.target;
  if (first?.kind !== 'atom')
    throw new ObjectError(section, `the entry at 0x${start.toString(16)} does not point into this object`);
  const handler = section.name === '__ex_table' ? references[2]?.target : undefined;
  if (handler?.kind === 'atom' && handler.at !== 0) {
    throw new ObjectError(section, 'entries of 8 bytes, as before Linux 4.6, are not known');
  }
  return {
    table: section.name,
    section,
    start,
    bytes,
    references,
    owner: first.atom,
    at: first.at,
    overwrites: overwritten(section, bytes),
  };
}

function pointsToCode(object: UnitObject, section: ElfSection, relocation: ElfRelocation): boolean {
  const target = object.resolve(section, relocation);
  return target.kind === 'atom' && (target.atom.section.flags & SHF.EXECINSTR) !== 0;
}
