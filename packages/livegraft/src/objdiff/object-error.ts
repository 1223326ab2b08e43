/** An object file that follows ELF but contradicts itself, or has a table whose layout cannot be read. */
import type { ElfSection } from '@livegraft/binfmt/elf/types';

export class ObjectError extends Error {
  override readonly name = 'ObjectError';
  readonly section: string;

  constructor(section: Pick<ElfSection, 'name'>, what: string) {
    super(`${section.name}: ${what}`);
    this.section = section.name;
  }
}
