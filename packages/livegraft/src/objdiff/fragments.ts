/**
 * Code without names that lies out of line: replacements of alternatives, and what tables and functions jump to
 * (`.altinstr_aux`, `.fixup`). Its bounds come from those who point there.
 */
import { SHF } from '@livegraft/binfmt/elf/constants';
import type { ElfFile, ElfSection } from '@livegraft/binfmt/elf/types';
import type { Cut } from './cut.ts';
import { fallsThrough } from './instructions.ts';
import { ObjectError } from './object-error.ts';
import { isPcRelative } from './relocations.ts';
import { roleOf } from './sections.ts';
import { alternativeLengths, strideOf } from './table-layout.ts';

export function cutFragments(elf: ElfFile, section: ElfSection): readonly Cut[] {
  const bounds = section.name === '.altinstr_replacement' ? replacements(elf, section) : reachable(elf, section);
  const cuts: Cut[] = [];
  let end = 0;
  for (const { start, size } of bounds) {
    if (start < end) throw new ObjectError(section, `two pieces of code overlap at 0x${start.toString(16)}`);
    if (start > end) cuts.push(fragment(end, start - end));
    cuts.push(fragment(start, size));
    end = start + size;
  }
  if (end > section.size) throw new ObjectError(section, `code ends at 0x${end.toString(16)}, behind its section`);
  if (end < section.size) cuts.push(fragment(end, section.size - end));
  return cuts;
}

function fragment(start: number, size: number): Cut {
  return { kind: 'fragment', start, size, name: '', symbols: [] };
}

interface Bounds {
  readonly start: number;
  readonly size: number;
}

/** The replacements that .altinstructions names, with the lengths it gives. */
function replacements(elf: ElfFile, section: ElfSection): Bounds[] {
  const sizes = new Map<number, number>();
  for (const table of elf.sections) {
    if (table.name !== '.altinstructions' || table.size === 0) continue;
    const stride = strideOf(table, () => true);
    for (const relocation of table.relocations) {
      if (elf.symbols[relocation.symbol]!.section !== section.index) continue;
      const from = relocation.offset - (relocation.offset % stride);
      const { replacement } = alternativeLengths(table, table.data.subarray(from, from + stride));
      const start = Number(elf.symbols[relocation.symbol]!.value) + relocation.addend;
      if (replacement > 0) sizes.set(start, Math.max(sizes.get(start) ?? 0, replacement));
    }
  }
  return [...sizes].map(([start, size]) => ({ start, size })).sort((a, b) => a.start - b.start);
}

/** Bytes that are decoded to find the pieces; kernels have a few hundred in a unit. */
const mostDecoded = 1 << 20;

/** From each place that something outside points to, up to the next one that cannot be reached by falling through. */
function reachable(elf: ElfFile, section: ElfSection): Bounds[] {
  const starts = new Set([0]);
  for (const other of elf.sections) {
    if (roleOf(other) === 'ignored' || other === section) continue;
    const isCode = (other.flags & SHF.EXECINSTR) !== 0;
    for (const relocation of other.relocations) {
      const symbol = elf.symbols[relocation.symbol]!;
      if (symbol.section !== section.index) continue;
      // a branch's displacement is its instruction's last field
      starts.add(Number(symbol.value) + relocation.addend + (isCode && isPcRelative(relocation.type) ? 4 : 0));
    }
  }
  const sorted = [...starts].filter((start) => start >= 0 && start < section.size).sort((a, b) => a - b);
  const joined: number[] = [];
  let decoded = 0;
  for (const start of sorted) {
    const from = joined.at(-1);
    decoded += start - (from ?? start);
    if (decoded > mostDecoded) throw new ObjectError(section, `${sorted.length} places in code that never ends`);
    if (from === undefined || !fallsThrough(section, from, start)) joined.push(start);
  }
  return joined.map((start, i) => ({ start, size: (joined[i + 1] ?? section.size) - start }));
}
