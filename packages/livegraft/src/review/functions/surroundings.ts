/** What the new code of a function refers to, and what came along with it. */
import type { Companion, SymbolUse } from '../../bundle/review.ts';
import type { Piece, PieceTarget } from '../../klp/piece.ts';
import type { ChangedUnit } from '../../klp/unit.ts';
import type { Atom } from '../../objdiff/atoms.ts';
import { coldParent } from '../../objdiff/names.ts';

/** A function of the livepatch, new or in the place of another. */
interface NewCode {
  readonly unit: ChangedUnit;
  readonly atom: Atom;
  readonly piece: Piece;
}

/** By name, klp symbols first. @param pieces of the whole livepatch */
export function referencesOf({ piece, atom: { name } }: NewCode, pieces: readonly Piece[]): SymbolUse[] {
  const found = new Map<string, SymbolUse>();
  for (const part of [piece, ...pieces.filter((other) => isColdPart(other, name))]) {
    for (const { target } of part.relocations) {
      const use = useOf(target);
      // branches of the function to itself and to its cold part
      if (use === undefined || use.name === name || coldParent(use.name) === name) continue;
      const key = `${use.how} ${use.object ?? ''} ${use.name} ${use.position ?? ''}`;
      found.set(key, { ...use, uses: (found.get(key)?.uses ?? 0) + 1 });
    }
  }
  const rank = { klp: 0, export: 1, own: 2 } as const;
  return [...found.values()].sort((a, b) => rank[a.how] - rank[b.how] || (a.name < b.name ? -1 : 1));
}

function isColdPart({ symbols }: Piece, name: string): boolean {
  return symbols.some((symbol) => coldParent(symbol.name) === name);
}

/** Literals and constants without a name are in the listing. */
function useOf(target: PieceTarget): SymbolUse | undefined {
  switch (target.kind) {
    case 'klp':
      return { name: target.name, how: 'klp', object: target.object, position: target.position, uses: 0 };
    case 'export':
      return { name: target.name, how: 'export', uses: 0 };
    case 'piece': {
      const name = target.piece.symbols[0]?.name;
      return name === undefined || name === '' || name.startsWith('.L') ? undefined : { name, how: 'own', uses: 0 };
    }
  }
}

/** Entries of special tables about the function and its cold part, by table. */
export function companionsOf({ unit, atom: own }: NewCode): Companion[] {
  const { entries, object } = unit.diff.patched;
  const found = new Map<string, Companion>();
  for (const atom of object.atoms) {
    if (atom !== own && coldParent(atom.name) !== own.name) continue;
    for (const { table, bytes, orc } of entries.get(atom) ?? []) {
      for (const [section, size] of [[table, bytes.length], ...(orc ? [[orc.section.name, orc.bytes.length]] : [])] as [
        string,
        number,
      ][]) {
        const known = found.get(section) ?? { section, entries: 0, bytes: 0 };
        found.set(section, { section, entries: known.entries + 1, bytes: known.bytes + size });
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.section < b.section ? -1 : 1));
}

/** Names of what refers to a piece: functions of the livepatch, its cold parts left out. */
export function usersOf({ piece, atom }: NewCode, pieces: readonly Piece[]): string[] {
  const names = pieces
    .filter((other) => other !== piece && other.relocations.some(({ target }) => isAt(target, piece)))
    .flatMap(({ symbols }) => symbols.slice(0, 1).map(({ name }) => coldParent(name) ?? name));
  return [...new Set(names)].filter((name) => name !== atom.name && name !== '' && !name.startsWith('.L'));
}

function isAt(target: PieceTarget, piece: Piece): boolean {
  return target.kind === 'piece' && target.piece === piece;
}
