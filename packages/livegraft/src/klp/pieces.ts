/** Atoms and table entries as pieces of the module, and what their fields are. */
import { SHF, SHT, STT } from '@livegraft/binfmt/elf/constants';
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import type { Atom, Reference, UnitObject } from '../objdiff/atoms.ts';
import { fieldSize, isPcRelative } from '../objdiff/relocations.ts';
import { family, holdsDescriptors } from '../objdiff/sections.ts';
import { opcodeBefore } from '../support/branches.ts';
import type { KlpTarget, Piece, PieceRelocation } from './piece.ts';

/** An atom with its relocated fields set to zero and its relocations still to come. */
export function atomPiece(object: UnitObject, atom: Atom): Piece {
  const { section, start, entryPadding = 0 } = atom;
  return {
    section: family(section.name),
    type: section.type,
    flags: section.flags & (SHF.WRITE | SHF.ALLOC | SHF.EXECINSTR | SHF.MERGE | SHF.STRINGS),
    align: alignmentOf(atom),
    entsize: section.entsize,
    size: atom.size,
    bytes: section.type === SHT.NOBITS ? new Uint8Array(0) : blank(object.bytes(atom), object.references(atom)),
    symbols: [
      ...atom.symbols.map(({ name, value, size, type }) => ({ name, offset: Number(value) - start, size, type })),
      ...(entryPadding === 0
        ? []
        : [{ name: `__pfx_${atom.name}`, offset: -entryPadding, size: entryPadding, type: STT.FUNC }]),
    ],
    relocations: [],
    ...(entryPadding === 0 ? {} : { entryPadding: section.data.slice(start - entryPadding, start) }),
  };
}

/** An entry of a table, likewise. */
export function tablePiece(section: ElfSection, align: number, entsize: number, bytes: Uint8Array): Piece {
  const flags = section.flags & (SHF.WRITE | SHF.ALLOC | SHF.EXECINSTR);
  return {
    section: section.name,
    type: section.type,
    flags,
    align,
    entsize,
    size: bytes.length,
    bytes,
    symbols: [],
    relocations: [],
  };
}

/** A copy of the bytes with all relocated fields set to zero: the loader insists on that (arch/x86/kernel/module.c). */
export function blank(bytes: Uint8Array, references: readonly Reference[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const { offset, type } of references) copy.fill(0, offset, offset + fieldSize(type));
  return copy;
}

/** An atom in the middle of a section keeps the alignment that its offset happens to have, up to the section's own. */
function alignmentOf(atom: Atom): number {
  if (atom.kind === 'string') return 1;
  // the loader counts descriptors by their size: no gaps between them
  if (holdsDescriptors(atom.section)) return 8;
  const own = Math.max(1, atom.section.addralign);
  if (atom.start === 0) return own;
  const offset = atom.start & -atom.start;
  return Math.min(own, offset);
}

type LateRelocation = PieceRelocation & { readonly target: KlpTarget };

/** True for what the livepatch core can only fill in once a module is loaded. */
export function isLate(relocation: PieceRelocation): relocation is LateRelocation {
  return relocation.target.kind === 'klp' && relocation.target.applyWith !== 'vmlinux';
}

/** The same for a field of bytes with such section flags. */
export function isBranchField(flags: number, bytes: Uint8Array, offset: number, type: number): boolean {
  if ((flags & SHF.EXECINSTR) === 0 || !isPcRelative(type)) return false;
  return type === 15 || opcodeBefore(bytes, offset) !== undefined;
}

/** True when a relocated field is the displacement of a call or jump, not an address that something might keep. */
export function isBranch(object: UnitObject, atom: Atom, { offset, type }: Reference): boolean {
  return isBranchField(atom.section.flags, object.bytes(atom), offset, type);
}
