/** An ELF64 file as values; nothing here points back into shared mutable state. */

export interface ElfFile {
  /** e_type, see `ET`. */
  readonly type: number;
  /** e_machine, see `EM`. */
  readonly machine: number;
  readonly flags: number;
  /** By section number; number 0 is the null section. */
  readonly sections: readonly ElfSection[];
  /** By symbol number; number 0 is the null symbol. Empty when the file has no .symtab. */
  readonly symbols: readonly ElfSymbol[];
}

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  /** sh_type, see `SHT`. */
  readonly type: number;
  /** sh_flags, see `SHF`. */
  readonly flags: number;
  readonly address: bigint;
  /** Offset in the file, bytes. */
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly addralign: number;
  readonly entsize: number;
  /** The section's bytes, a view into the input; empty for SHT_NOBITS (see `size`). */
  readonly data: Uint8Array;
  /** The relocations that apply to this section, by rising offset. */
  readonly relocations: readonly ElfRelocation[];
}

export interface ElfSymbol {
  readonly index: number;
  readonly name: string;
  /** Offset in its section (ET_REL) or address. */
  readonly value: bigint;
  readonly size: number;
  /** See `STB`. */
  readonly binding: number;
  /** See `STT`. */
  readonly type: number;
  readonly other: number;
  /** Section number, SHN_XINDEX resolved; reserved values (SHN_ABS, SHN_LIVEPATCH …) as they are in `special`. */
  readonly section: number;
  /** The reserved section index (SHN_ABS, SHN_COMMON, SHN_LIVEPATCH), when the symbol has one; `section` is 0 then. */
  readonly special?: number;
}

export interface ElfRelocation {
  /** Byte offset in the section it applies to. */
  readonly offset: number;
  /** See `R_X86_64`. */
  readonly type: number;
  /** Symbol number. */
  readonly symbol: number;
  readonly addend: number;
}
