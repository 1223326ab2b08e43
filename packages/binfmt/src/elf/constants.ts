/** Names of the ELF64 and x86-64 values that livegraft meets (System V gABI; x86-64 psABI; include/uapi/linux/elf.h). */

export const ET = { REL: 1, EXEC: 2, DYN: 3 } as const;
export const EM = { X86_64: 62, AARCH64: 183, PPC64: 21, S390: 22, LOONGARCH: 258 } as const;

export const SHT = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  RELA: 4,
  NOTE: 7,
  NOBITS: 8,
  REL: 9,
  GROUP: 17,
  SYMTAB_SHNDX: 18,
} as const;

export const SHF = {
  WRITE: 0x1,
  ALLOC: 0x2,
  EXECINSTR: 0x4,
  MERGE: 0x10,
  STRINGS: 0x20,
  INFO_LINK: 0x40,
  GROUP: 0x200,
  COMPRESSED: 0x800,
  /** Relocations that the livepatch core applies (include/linux/livepatch.h, Documentation/livepatch/module-elf-format.rst). */
  RELA_LIVEPATCH: 0x00100000,
  EXCLUDE: 0x80000000,
} as const;

export const SHN = {
  UNDEF: 0,
  LORESERVE: 0xff00,
  /** A symbol that the livepatch core resolves. */
  LIVEPATCH: 0xff20,
  ABS: 0xfff1,
  COMMON: 0xfff2,
  XINDEX: 0xffff,
} as const;

export const STB = { LOCAL: 0, GLOBAL: 1, WEAK: 2 } as const;
export const STT = { NOTYPE: 0, OBJECT: 1, FUNC: 2, SECTION: 3, FILE: 4 } as const;

export const R_X86_64 = {
  NONE: 0,
  64: 1,
  PC32: 2,
  PLT32: 4,
  GOTPCREL: 9,
  32: 10,
  '32S': 11,
  16: 12,
  PC16: 13,
  8: 14,
  PC8: 15,
  PC64: 24,
} as const;
