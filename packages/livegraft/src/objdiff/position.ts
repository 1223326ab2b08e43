/** Which of several symbols of one name is meant. */
import { STT } from '@livegraft/binfmt/elf/constants';
import type { ElfFile } from '@livegraft/binfmt/elf/types';
import type { Atom } from './atoms.ts';

/**
 * The position of a function or variable among all symbols of its name in its own object, counted from 1 in symbol-table order;
 * 0 where it is alone. In the running kernel it is another one: many units share vmlinux.
 */
export function positionInObject(elf: ElfFile, atom: Atom): number {
  const twins = elf.symbols.filter(
    ({ name, section, type }) => name === atom.name && section !== 0 && type !== STT.SECTION && type !== STT.FILE,
  );
  return twins.length < 2 ? 0 : twins.findIndex((symbol) => atom.symbols.includes(symbol)) + 1;
}
