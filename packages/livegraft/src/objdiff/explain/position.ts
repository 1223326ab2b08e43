/** Which of several symbols of one name a function is, as far as an object file alone can tell. */
import { STB } from '@livegraft/binfmt/elf/constants';
import type { ElfFile, ElfSymbol } from '@livegraft/binfmt/elf/types';

/**
 * 0 for a global symbol, which has no other of its name; else the rank, from 1, among the local symbols of that name in the order
 * of the symbol table. In a kernel that has the unit linked with others it may be another one.
 */
export function positionInObject(elf: ElfFile, symbol: ElfSymbol): number {
  if (symbol.binding !== STB.LOCAL) return 0;
  const named = elf.symbols.filter((each) => each.name === symbol.name && each.binding === STB.LOCAL);
  return named.indexOf(symbol) + 1;
}
