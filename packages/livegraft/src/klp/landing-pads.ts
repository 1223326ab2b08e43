/**
 * IBT (indirect branch tracking): where an indirect call or jump ends there must be an `endbr64`. The build lists those of functions whose address
 * nothing takes in `.ibt_endbr_seal`, and the kernel overwrites them: vmlinux's at boot, a module's when it is loaded (arch/x86/kernel/alternative.c,
 * apply_seal_endbr; tools/objtool/check.c, validate_ibt). Emulation has no IBT and shows none of this, so it is decided here.
 */
import { SHF, SHT } from '@livegraft/binfmt/elf/constants';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { landingPadMissing } from '../diagnostics/klp.ts';
import type { Reference, UnitObject } from '../objdiff/atoms.ts';
import { isTable } from '../objdiff/sections.ts';
import type { LandingPad, ShippedObject } from '../provenance/shipped.ts';
import { beginsWithEndbr } from '../support/endbr.ts';
import { type Piece, type PieceRelocation, type PieceTarget, sectionPiece } from './piece.ts';
import { isBranch, isBranchField } from './pieces.ts';
import type { SymbolSpace } from './resolve.ts';
import type { ChangedUnit } from './unit.ts';

const seals = '.ibt_endbr_seal';

/** The module's own list: its functions that are only called directly. Undefined when there are none. */
export function sealPiece(pieces: readonly Piece[]): Piece | undefined {
  const taken = new Set<Piece>();
  for (const piece of pieces) {
    for (const relocation of piece.relocations)
      if (relocation.target.kind === 'piece' && takesAddress(piece, relocation)) taken.add(relocation.target.piece);
  }
  const isCode = ({ flags, bytes }: Piece): boolean => (flags & SHF.EXECINSTR) !== 0 && beginsWithEndbr(bytes);
  const sealed = pieces.filter((piece) => isCode(piece) && !taken.has(piece));
  if (sealed.length === 0) return undefined;
  const made = sectionPiece(seals, SHT.PROGBITS, 1, new Uint8Array(4 * sealed.length));
  for (const [i, piece] of sealed.entries())
    made.relocations.push({ offset: 4 * i, type: 2, addend: 0, target: { kind: 'piece', piece } });
  return made;
}

/** True unless the field is the displacement of a direct branch, or in a table about code. In doubt an address is taken. */
function takesAddress({ section, flags, bytes }: Piece, { offset, type }: PieceRelocation): boolean {
  return !isTable(section) && !isBranchField(flags, bytes, offset, type);
}

/** What is wrong with taking the address of something that the running kernel has. */
export async function landingPadProblems(
  { space, diff }: ChangedUnit,
  user: { readonly unit: string; readonly function: string },
  target: PieceTarget,
): Promise<Diagnostic[]> {
  if (target.kind === 'piece') return [];
  const { name } = target;
  const home = await homeOf(space, target);
  const symbol = home?.named(name)[target.kind === 'klp' ? Math.max(0, target.position - 1) : 0];
  const pad: LandingPad | undefined = symbol === undefined ? undefined : home?.landingPad(symbol.address);
  if (home === undefined || pad === undefined || pad === 'kept') return [];
  // what the original takes too, the kernel was built to allow for: such an address is not for calling
  if (pad === 'absent' && isTakenBy(diff.original.object, name)) return [];
  return [landingPadMissing({ ...user, target: name, object: home.name, pad })];
}

function isTakenBy(object: UnitObject, name: string): boolean {
  const means = ({ target }: Reference): boolean =>
    target.kind === 'symbol' ? target.symbol.name === name : target.atom.symbols.some((symbol) => symbol.name === name);
  return object.atoms.some((atom) =>
    object.references(atom).some((reference) => means(reference) && !isBranch(object, atom, reference)),
  );
}

async function homeOf(
  space: SymbolSpace,
  target: Exclude<PieceTarget, { readonly kind: 'piece' }>,
): Promise<ShippedObject | undefined> {
  if (target.kind === 'export' || target.object === 'vmlinux') return space.vmlinux;
  return target.object === space.own.name ? space.own : space.module(target.object);
}
