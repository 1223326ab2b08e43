/** The machine code of a function before and after, instruction beside instruction. */
import type { CodePart, CodeRow } from '../../bundle/review.ts';
import type { Atom, UnitObject } from '../../objdiff/atoms.ts';
import type { Diff, FunctionVerdict } from '../../objdiff/diff.ts';
import { sameOutsideFields } from '../../objdiff/explain/context.ts';
import { formatInstruction, type Instruction, instructionsOf } from '../../objdiff/explain/listing.ts';
import { coldParent } from '../../objdiff/names.ts';
import { type Align, align } from '../../support/align.ts';

/** The function itself, then its cold part. */
export function codeOf(
  diff: Diff,
  { name, original, patched }: Pick<FunctionVerdict, 'name' | 'original' | 'patched'>,
): CodePart[] {
  const [before, after] = [coldPart(diff.original.object, original), coldPart(diff.patched.object, patched)];
  return [
    { name, rows: rowsOf(diff, original, patched) },
    ...(before === undefined && after === undefined
      ? []
      : [{ name: (after ?? before)!.name, rows: rowsOf(diff, before, after) }]),
  ];
}

function coldPart(object: UnitObject, atom: Atom | undefined): Atom | undefined {
  return atom && object.atoms.find(({ kind, name }) => kind === 'function' && coldParent(name) === atom.name);
}

function rowsOf(diff: Diff, original: Atom | undefined, patched: Atom | undefined): CodeRow[] {
  const [one, other] = [diff.original.object, diff.patched.object];
  const before = original === undefined ? [] : instructionsOf(one, original);
  const after = patched === undefined ? [] : instructionsOf(other, patched);
  const [left, right] = [original && one.bytes(original), patched && other.bytes(patched)];
  // branches within the function are judged below, once it is known what stands beside what
  const alike = (i: number, j: number): boolean => {
    const [a, b] = [before[i]!, after[j]!];
    if (a.jump !== undefined || b.jump !== undefined)
      return a.jump !== undefined && b.jump !== undefined && a.mnemonic === b.mnemonic;
    return (
      sameOutsideFields(left!, a, right!, b) &&
      a.references.every(({ target }, n) => diff.comparison.sameTarget(target, b.references[n]!.target))
    );
  };
  const rows = align(before.length, after.length, alike);
  const rowBefore = rowByOffset(rows, 0, before);
  const rowAfter = rowByOffset(rows, 1, after);
  return rows.map(([i, j]): CodeRow => {
    const [a, b] = [i === undefined ? undefined : before[i]!, j === undefined ? undefined : after[j]!];
    const paired = i !== undefined && j !== undefined && alike(i, j);
    const same = paired && (a!.jump === undefined || rowBefore.get(a!.jump) === rowAfter.get(b!.jump!));
    return {
      same,
      ...(a === undefined ? {} : { before: shown(one, original!, a) }),
      ...(b === undefined ? {} : { after: shown(other, patched!, b) }),
    };
  });
}

/** Offset of an instruction → its row. */
function rowByOffset(rows: readonly Align[], side: 0 | 1, list: readonly Instruction[]): ReadonlyMap<number, number> {
  return new Map(
    rows.flatMap((row, n) => {
      const index = row[side];
      return index === undefined ? [] : [[list[index]!.offset, n] as const];
    }),
  );
}

function shown(object: UnitObject, atom: Atom, instruction: Instruction): NonNullable<CodeRow['before']> {
  const { offset, size } = instruction;
  const bytes = Buffer.from(object.bytes(atom).subarray(offset, offset + size)).toString('hex');
  return { offset, bytes, text: formatInstruction(object, atom, instruction) };
}
