/** What must hold of an object before it is cut: what contradicts itself, or is larger than any kernel's, is refused by name. */
import { ET, SHF, SHT } from '@livegraft/binfmt/elf/constants';
import type { ElfFile, ElfSection } from '@livegraft/binfmt/elf/types';
import { ObjectError } from './object-error.ts';
import { fieldSize } from './relocations.ts';
import { roleOf } from './sections.ts';

/** Sections without bytes cost a file nothing, and whoever carries them along all that they claim. */
const largestEmpty = 64 * 1024 * 1024;
/** The kernel's stacks have the largest alignment there is, 16 KiB, 32 with KASAN (arch/x86/include/asm/page_64_types.h). */
const largestAlign = 64 * 1024;
/** Kernel code lies within 2 GiB (the kernel code model of the x86-64 psABI); sums of this size stay exact. */
const largestAddend = 2 ** 40;
/** char32_t */
const widestCharacter = 4;

/** Throws ObjectError. */
export function requireConsistent(elf: ElfFile): void {
  if (elf.type !== ET.REL) {
    throw new ObjectError(
      { name: 'ELF header' },
      `the file is of type ${elf.type}; a relocatable object, ${ET.REL}, is expected`,
    );
  }
  let empty = 0;
  for (const section of elf.sections) {
    if (roleOf(section) === 'ignored') continue;
    if (section.type === SHT.NOBITS) empty += section.size;
    if (empty > largestEmpty)
      throw new ObjectError(section, `it makes more than ${largestEmpty} bytes without content`);
    requireSoundHeader(section);
    requireSoundRelocations(section);
  }
  for (const { name, section, value } of elf.symbols) {
    const home = elf.sections[section]!;
    if (section === 0 || roleOf(home) === 'ignored' || value <= BigInt(home.size)) continue;
    throw new ObjectError(
      home,
      `${name || 'a symbol'} at 0x${value.toString(16)} lies outside its 0x${home.size.toString(16)} bytes`,
    );
  }
}

function requireSoundHeader(section: ElfSection): void {
  const { addralign, entsize } = section;
  if (addralign > largestAlign || (addralign & (addralign - 1)) !== 0) {
    throw new ObjectError(section, `its alignment is ${addralign}; a power of two up to ${largestAlign} is expected`);
  }
  if (roleOf(section) === 'strings' && entsize > widestCharacter) {
    throw new ObjectError(
      section,
      `the characters of its strings have ${entsize} bytes; at most ${widestCharacter} are expected`,
    );
  }
  if (section.type === SHT.NOBITS && (section.flags & SHF.EXECINSTR) !== 0 && section.size > 0) {
    throw new ObjectError(section, 'it is code without bytes');
  }
}

/** Each relocated field lies in its section and ends before the next. */
function requireSoundRelocations(section: ElfSection): void {
  let end = 0;
  for (const { offset, type, addend } of section.relocations) {
    const size = fieldSize(type);
    if (Math.abs(addend) > largestAddend) {
      throw new ObjectError(section, `the relocation at 0x${offset.toString(16)} has the addend ${addend}`);
    }
    if (offset + size > section.size || (size > 0 && offset < end)) {
      throw new ObjectError(
        section,
        `the relocation at 0x${offset.toString(16)} leaves the section or overlaps another`,
      );
    }
    if (size > 0) end = offset + size;
  }
  if (section.relocations.length > 0 && section.type === SHT.NOBITS) {
    throw new ObjectError(section, 'it has relocations, but no bytes');
  }
}
