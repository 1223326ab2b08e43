/**
 * Reads the kernel's own symbol table out of .rodata (scripts/kallsyms.c writes it, kernel/kallsyms.c reads it).
 *
 * The table has no header and its parts no names in a stripped image; their order changed over the years, their shape hardly.
 * ```
 *  token_table    256 NUL-ended strings, one for each byte value, such as "_" or "sched_"
 *  token_index    256 u16: where each of those strings begins
 *  names          a symbol is a length and so many bytes; each byte stands for its token; together they spell type and name
 *                 ("T" + "schedule"). Lengths are ULEB128 since 6.1 (73bbb94466fd), one byte before.
 *  markers        one u32 for every 256th symbol: where it begins in names
 *  num_syms       u32
 *  offsets        i32 a symbol; negative: relative_base - 1 - offset, else the value itself (absolute percpu);
 *                 without percpu symbols: relative_base + u32; since 7.x: counted from the entry's own place; formerly plain u64
 *  relative_base  u64
 *  seqs_of_names  3 bytes a symbol (since 6.2, backported), order by name; not needed here
 * ```
 * to 6.3:     offsets, relative_base, num_syms, names, markers, [seqs], token_table, token_index
 * since 6.4:  num_syms, names, markers, token_table, token_index, offsets, [relative_base], seqs (404bad70fcf7)
 *
 * So the parts are found by their structure (`kallsyms/layout.ts`), the meaning of the offsets by trying each
 * (`kallsyms/addresses.ts`): addresses must rise, and symbols that stand for section boundaries must have the sections'
 * addresses. Two readings that both fit, but differ, are an error.
 */
import { type Anchor, readAddresses } from './kallsyms/addresses.ts';
import { findNames } from './kallsyms/layout.ts';

export type { Anchor } from './kallsyms/addresses.ts';

export interface KernelSymbol {
  /** Position in kallsyms order, which is what a livepatch's sympos counts by. */
  readonly index: number;
  readonly address: bigint;
  /** As nm prints it: `T` global code, `t` local code, `D`, `d`, `R`, `r`, `B`, `b`, `A`, `W` … */
  readonly type: string;
  readonly name: string;
}

/**
 * Reads the table.
 * @param rodata the bytes of the section that holds it
 * @param address where that section is in memory
 * @param anchors symbols whose address is known from the sections; at least three of them must be in the table
 * @throws FormatError `kallsyms-not-found`, `kallsyms-ambiguous`, `kallsyms-addresses`
 */
export function readKallsyms(rodata: Uint8Array, address: bigint, anchors: readonly Anchor[]): KernelSymbols {
  const layout = findNames(rodata);
  const { addresses, reading } = readAddresses(rodata, address, layout, anchors);
  return new KernelSymbols(
    layout.names.map((text, index) => ({ index, address: addresses[index]!, type: text[0]!, name: text.slice(1) })),
    reading,
  );
}

/** Symbols of a kernel, in kallsyms order: by rising address. */
export class KernelSymbols {
  readonly all: readonly KernelSymbol[];
  /** How the table stores addresses, in words. */
  readonly addressing: string;
  #byName: Map<string, KernelSymbol[]> | undefined;

  constructor(all: readonly KernelSymbol[], addressing: string) {
    this.all = all;
    this.addressing = addressing;
  }

  /** Every symbol of that name, in kallsyms order: the n-th of them has sympos n. */
  named(name: string): readonly KernelSymbol[] {
    this.#byName ??= groupByName(this.all);
    return this.#byName.get(name) ?? [];
  }

  /** Every symbol with exactly that address. */
  at(address: bigint): readonly KernelSymbol[] {
    const first = this.#firstNotBelow(address);
    let end = first;
    while (this.all[end]?.address === address) end++;
    return this.all.slice(first, end);
  }

  /**
   * The symbol an address belongs to, as the kernel's `%pS` has it: the nearest at or below; of several with one address the first.
   * Percpu offsets are a space of their own: an address in the kernel's half is never covered by one.
   */
  covering(address: bigint): KernelSymbol | undefined {
    const next = this.#firstNotBelow(address + 1n);
    const nearest = this.all[next - 1];
    if (nearest === undefined || nearest.address >> 63n !== address >> 63n) return undefined;
    return this.all[this.#firstNotBelow(nearest.address)];
  }

  /** Bytes from a symbol to the next one with another address: an upper bound of its size; undefined for the last. */
  extent(symbol: KernelSymbol): number | undefined {
    const next = this.all[this.#firstNotBelow(symbol.address + 1n)];
    return next && Number(next.address - symbol.address);
  }

  #firstNotBelow(address: bigint): number {
    let low = 0;
    let high = this.all.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.all[middle]!.address < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function groupByName(all: readonly KernelSymbol[]): Map<string, KernelSymbol[]> {
  const groups = new Map<string, KernelSymbol[]>();
  for (const symbol of all) {
    const group = groups.get(symbol.name);
    if (group === undefined) groups.set(symbol.name, [symbol]);
    else group.push(symbol);
  }
  return groups;
}
