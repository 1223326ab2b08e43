/**
 * Puts pieces together into a relocatable module: pieces of one section behind each other, ordinary relocations beside
 * livepatch ones (`.klp.rela.OBJECT.SECTION`, symbols `.klp.sym.OBJECT.NAME,POSITION`).
 * Format: Documentation/livepatch/module-elf-format.rst; limits: kernel/livepatch/core.c, klp_resolve_symbols().
 */
import { EM, ET, SHF, SHN, SHT, STB, STT } from '@livegraft/binfmt/elf/constants';
import { type RelocationsSpec, type SectionSpec, type SymbolSpec, writeElf } from '@livegraft/binfmt/elf/write';
import type { KlpTarget, Piece, PieceTarget } from './piece.ts';

interface Placed {
  /** Number of the output section, from 1. */
  readonly section: number;
  readonly offset: number;
}

/** Links the pieces, in the order given within each section. The result depends on nothing but its input. */
export function linkModule(pieces: readonly Piece[]): Uint8Array {
  const bySection = new Map<string, Piece[]>();
  for (const piece of pieces) {
    const list = bySection.get(piece.section) ?? [];
    list.push(piece);
    bySection.set(piece.section, list);
  }
  const placed = new Map<Piece, Placed>();
  const sections = [...bySection].map(([name, list], i) => layOut(name, list, i + 1, placed));
  const symbols = new Symbols(sections.length, pieces, placed);
  const relocations = relocationSections(sections, bySection, placed, symbols);
  return writeElf({ type: ET.REL, machine: EM.X86_64, sections, symbols: symbols.list, relocations });
}

function layOut(name: string, pieces: readonly Piece[], number: number, placed: Map<Piece, Placed>): SectionSpec {
  const first = pieces[0]!;
  const nobits = pieces.every((piece) => piece.type === SHT.NOBITS);
  let end = 0;
  for (const piece of pieces) {
    const align = Math.max(1, piece.align);
    const offset = Math.ceil((end + (piece.entryPadding?.length ?? 0)) / align) * align;
    placed.set(piece, { section: number, offset });
    end = offset + piece.size;
  }
  const common = {
    name,
    type: nobits ? SHT.NOBITS : SHT.PROGBITS === first.type || first.type === SHT.NOBITS ? SHT.PROGBITS : first.type,
    flags: pieces.reduce((flags, piece) => flags | piece.flags, 0),
    addralign: pieces.reduce((align, piece) => Math.max(align, piece.align), 1),
    entsize: pieces.every((piece) => piece.entsize === first.entsize) ? first.entsize : 0,
  };
  if (nobits) return { ...common, size: end };
  const data = new Uint8Array(end);
  // between functions: int3, as the kernel's linker script fills its text (arch/x86/kernel/vmlinux.lds.S, since 5.15)
  if ((common.flags & SHF.EXECINSTR) !== 0) data.fill(0xcc);
  for (const piece of pieces) {
    const { offset } = placed.get(piece)!;
    data.fill(0, offset, offset + piece.size);
    data.set(piece.bytes, offset);
    if (piece.entryPadding !== undefined) data.set(piece.entryPadding, offset - piece.entryPadding.length);
  }
  return { ...common, data };
}

/** The symbol table in the making: section symbols, the pieces' own, then what others define. */
class Symbols {
  readonly list: SymbolSpec[] = [];
  readonly #ofPiece = new Map<Piece, number>();
  readonly #outside = new Map<string, number>();

  constructor(sections: number, pieces: readonly Piece[], placed: ReadonlyMap<Piece, Placed>) {
    for (let section = 1; section <= sections; section++) {
      this.list.push({ name: '', value: 0, size: 0, binding: STB.LOCAL, type: STT.SECTION, section });
    }
    const globals: SymbolSpec[] = [];
    for (const piece of pieces) {
      const { section, offset } = placed.get(piece)!;
      for (const symbol of piece.symbols) {
        const spec = {
          name: symbol.name,
          value: offset + symbol.offset,
          size: symbol.size,
          type: symbol.type,
          section,
        };
        if (isLoaderSymbol(symbol.name)) globals.push({ ...spec, binding: STB.GLOBAL });
        else this.list.push({ ...spec, binding: STB.LOCAL });
        if (symbol.offset === 0 && !this.#ofPiece.has(piece) && !isLoaderSymbol(symbol.name))
          this.#ofPiece.set(piece, this.list.length);
      }
    }
    for (const piece of pieces)
      for (const { target } of piece.relocations) if (target.kind === 'klp') this.#klp(target);
    this.list.push(...globals);
    for (const piece of pieces)
      for (const { target } of piece.relocations) if (target.kind === 'export') this.#export(target.name);
  }

  /** The number of the symbol that stands for a target, and what to add to the addend. */
  of(target: PieceTarget, placed: ReadonlyMap<Piece, Placed>): { symbol: number; add: number } {
    switch (target.kind) {
      case 'export':
        return { symbol: this.#outside.get(target.name)!, add: 0 };
      case 'klp':
        return { symbol: this.#outside.get(klpSymbolName(target))!, add: 0 };
      case 'piece': {
        const own = this.#ofPiece.get(target.piece);
        if (own !== undefined) return { symbol: own, add: 0 };
        const { section, offset } = placed.get(target.piece)!;
        return { symbol: section, add: offset };
      }
    }
  }

  #klp(target: KlpTarget): void {
    const name = klpSymbolName(target);
    if (this.#outside.has(name)) return;
    this.list.push({
      name,
      value: 0,
      size: 0,
      binding: STB.LOCAL,
      type: STT.NOTYPE,
      section: 0,
      special: SHN.LIVEPATCH,
    });
    this.#outside.set(name, this.list.length);
  }

  #export(name: string): void {
    if (this.#outside.has(name)) return;
    this.list.push({ name, value: 0, size: 0, binding: STB.GLOBAL, type: STT.NOTYPE, section: 0 });
    this.#outside.set(name, this.list.length);
  }
}

export function klpSymbolName({ object, name, position }: KlpTarget): string {
  return `.klp.sym.${object}.${name},${position}`;
}

/** What the module loader and debuggers look for by name; everything else in a livepatch is local to it. */
function isLoaderSymbol(name: string): boolean {
  return name === '__this_module' || name === 'init_module' || name === 'cleanup_module';
}

function relocationSections(
  sections: readonly SectionSpec[],
  bySection: ReadonlyMap<string, readonly Piece[]>,
  placed: ReadonlyMap<Piece, Placed>,
  symbols: Symbols,
): RelocationsSpec[] {
  const found = new Map<string, RelocationsSpec & { entries: RelocationsSpec['entries'][number][] }>();
  for (const [name, pieces] of bySection) {
    const section = sections.findIndex((each) => each.name === name) + 1;
    for (const piece of pieces) {
      const base = placed.get(piece)!.offset;
      for (const { offset, type, addend, target } of piece.relocations) {
        const klp = target.kind === 'klp';
        const relaName = klp ? `.klp.rela.${target.applyWith}.${name}` : `.rela${name}`;
        const list = found.get(relaName) ?? {
          name: relaName,
          section,
          ...(klp ? { flags: SHF.ALLOC | SHF.INFO_LINK | SHF.RELA_LIVEPATCH } : {}),
          entries: [],
        };
        found.set(relaName, list);
        const { symbol, add } = symbols.of(target, placed);
        list.entries.push({ offset: base + offset, type, symbol, addend: addend + add });
      }
    }
  }
  return [...found.values()];
}
