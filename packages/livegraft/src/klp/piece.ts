/** What a livepatch module is made of before it is linked: pieces of sections, and what their fields refer to. */

import { SHF } from '@livegraft/binfmt/elf/constants';

export interface Piece {
  /** The section of the module it goes into. */
  readonly section: string;
  /** sh_type and sh_flags of that section. */
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly entsize: number;
  readonly size: number;
  /** Empty for SHT_NOBITS. */
  readonly bytes: Uint8Array;
  /** What stands right before a function and moves with it: the kernel may write call thunks there (`__pfx_f`). */
  readonly entryPadding?: Uint8Array;
  readonly symbols: readonly PieceSymbol[];
  /** Filled in once all pieces are known, since pieces refer to each other in circles. */
  readonly relocations: PieceRelocation[];
}

export interface PieceSymbol {
  readonly name: string;
  /** Byte offset in the piece; negative in the padding before a function. */
  readonly offset: number;
  readonly size: number;
  /** See `STT`. */
  readonly type: number;
}

export interface PieceRelocation {
  /** Byte offset in the piece. */
  readonly offset: number;
  /** See `R_X86_64`. */
  readonly type: number;
  /** For S being the first byte of the piece, or the symbol. */
  readonly addend: number;
  readonly target: PieceTarget;
}

export type PieceTarget =
  | { readonly kind: 'piece'; readonly piece: Piece }
  /** An ordinary undefined symbol, resolved by the module loader against what vmlinux exports. */
  | { readonly kind: 'export'; readonly name: string }
  | KlpTarget;

/** A symbol that the livepatch core resolves (Documentation/livepatch/module-elf-format.rst). */
export interface KlpTarget {
  readonly kind: 'klp';
  /** Whose loading makes the core apply the relocation: the klp object that the code belongs to, or `vmlinux`. */
  readonly applyWith: string;
  /** Where the symbol is: `vmlinux` or a module. */
  readonly object: string;
  readonly name: string;
  /** 0: the only one of its name; n: the n-th. */
  readonly position: number;
}

/** A section of the module's own, which nothing but the loader reads. */
export function sectionPiece(section: string, type: number, align: number, bytes: Uint8Array): Piece {
  return {
    section,
    type,
    flags: SHF.ALLOC,
    align,
    entsize: 0,
    size: bytes.length,
    bytes,
    symbols: [],
    relocations: [],
  };
}
