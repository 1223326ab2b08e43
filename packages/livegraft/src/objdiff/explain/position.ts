/** Which of several symbols of one name a function is, as far as an object file alone can tell. */
import { STB } from '@livegraft/binfmt/elf/constants';
import type { ElfFile, ElfSymbol } from '@livegraft/binfmt/elf/types';

/**
 * 0 for a global symbol, which has no other of its name; else the rank, from 1, among the local symbols of that name in the order
 * of the symbol table. In a kernel that has the unit linked with others it may be another one.
 */
export function positionsIn(elf: ElfFile): (symbol: ElfSymbol) => number {
  const positions = new Map<ElfSymbol, number>();
  const counts = new Map<string, number>();
  for (const symbol of elf.symbols) {
    if (symbol.binding !== STB.LOCAL) continue;
    const position = (counts.get(symbol.name) ?? 0) + 1;
    counts.set(symbol.name, position);
    positions.set(symbol, position);
  }
  return (symbol) => positions.get(symbol) ?? 0;
}
