/** Machine code as objdump shows it: AT&T syntax, with what relocated fields refer to in place of their bytes. */

import { iced } from '../../support/iced.ts';
import type { Atom, Reference, UnitObject } from '../atoms.ts';
import { fieldSize, isPcRelative } from '../relocations.ts';
import { nameTarget } from './names.ts';

/** One instruction of an atom. */
export interface Instruction {
  /** Byte offset in the atom. */
  readonly offset: number;
  readonly size: number;
  /** The relocated fields in it. */
  readonly references: readonly Reference[];
  /** Their place in it. */
  readonly fields: readonly { readonly start: number; readonly size: number }[];
  /** For a branch to a place in the same atom: that place. */
  readonly jump?: number;
  /** Tells one sort of instruction from another (iced-x86's Mnemonic). */
  readonly mnemonic: number;
}

/** Where an atom is made to lie: 0 would look like "no target". */
const BASE = 1n << 40n;

/** The instructions of a function from its start. */
export function instructionsOf(object: UnitObject, atom: Atom): readonly Instruction[] {
  const { Decoder, DecoderOptions, FlowControl, Instruction } = iced();
  const references = object.references(atom);
  const fields = new Set(references.map((reference) => reference.offset));
  const decoder = new Decoder(64, object.bytes(atom), DecoderOptions.None);
  decoder.ip = BASE;
  const instruction = new Instruction();
  const list: Instruction[] = [];
  let next = 0;
  while (decoder.canDecode) {
    const offset = decoder.position;
    decoder.decodeOut(instruction);
    const size = decoder.position - offset;
    const from = next;
    while (next < references.length && references[next]!.offset < offset + size) next++;
    const flow = instruction.flowControl;
    const near =
      (flow === FlowControl.UnconditionalBranch ||
        flow === FlowControl.ConditionalBranch ||
        flow === FlowControl.Call) &&
      instruction.nearBranchTarget !== 0n;
    const target = near ? Number(instruction.nearBranchTarget - BASE) : -1;
    const inside = target >= 0 && target < atom.size && !hasField(fields, offset, size);
    const own = references.slice(from, next);
    list.push({
      offset,
      size,
      references: own,
      fields: own.map((each) => ({ start: each.offset - offset, size: fieldSize(each.type) })),
      mnemonic: instruction.mnemonic,
      ...(inside ? { jump: target } : {}),
    });
  }
  instruction.free();
  decoder.free();
  return list;
}

function hasField(fields: ReadonlySet<number>, offset: number, size: number): boolean {
  for (let at = offset; at < offset + size; at++) if (fields.has(at)) return true;
  return false;
}

/** A value that no other operand has, to be found again in the text. */
const MARK = 0x5a5a00;

/** `call kmem_cache_free`, `lea "text %s\n"(%rip),%rdi`, `jne +0x4c`. */
export function formatInstruction(object: UnitObject, atom: Atom, shown: Instruction): string {
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax } = iced();
  const bytes = Uint8Array.from(object.bytes(atom).subarray(shown.offset, shown.offset + shown.size));
  shown.references.forEach((reference, i) => {
    const at = reference.offset - shown.offset;
    const size = fieldSize(reference.type);
    // a field of one byte cannot hold a mark: its branch target can
    if (size >= 4 && at + size <= bytes.length) new DataView(bytes.buffer).setUint32(at, MARK + i, true);
    if (size === 8 && at + size <= bytes.length) new DataView(bytes.buffer).setUint32(at + 4, 0, true);
  });
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = BASE + BigInt(shown.offset);
  const instruction = decoder.decode();
  const formatter = new Formatter(FormatterSyntax.Gas);
  formatter.uppercaseHex = false;
  formatter.branchLeadingZeros = false;
  formatter.smallHexNumbersInDecimal = false;
  formatter.ripRelativeAddresses = true;
  formatter.firstOperandCharIndex = 7;
  let text = formatter.format(instruction);
  const branch = instruction.nearBranchTarget;
  shown.references.forEach((reference, i) => {
    const name = nameOperand(object, shown, reference);
    const mark = `0x${(MARK + i).toString(16)}`;
    text = branch !== 0n ? text.replace(`0x${branch.toString(16)}`, () => name) : text.replace(mark, () => name);
  });
  if (shown.jump !== undefined) text = text.replace(/0x[0-9a-f]+$/, () => `+0x${shown.jump!.toString(16)}`);
  instruction.free();
  formatter.free();
  decoder.free();
  return text.trimEnd();
}

/** What a relocated field of an instruction means. */
export function nameOperand(object: UnitObject, { offset, size }: Instruction, reference: Reference): string {
  // a PC-relative field counts from the instruction's end
  const beyond = isPcRelative(reference.type) ? size - (reference.offset - offset) : 0;
  return nameTarget(object, reference.target, beyond);
}
