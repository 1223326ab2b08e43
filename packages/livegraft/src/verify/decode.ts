/** Instructions of a function, for the checker: where relocated and PC-relative operands lie, and what an instruction says, for messages. */
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import { iced } from '../support/iced.ts';

/** An operand that depends on where code or its target lies. */
export interface Operand {
  /** Section offset of the field. */
  readonly offset: number;
  readonly size: number;
  /** Section offset of the instruction, and of the one behind it. */
  readonly start: number;
  readonly end: number;
  /** The displacement of a direct call or jump. */
  readonly branch: boolean;
  /** Memory at exactly that address is read or written: no register is added, the address is not kept. */
  readonly access: boolean;
  /** Section offset meant, when there is no relocation and it leads out of the range that was decoded. */
  readonly outside?: number;
}

export interface Decoded {
  readonly instructions: number;
  readonly operands: readonly Operand[];
}

/** Sections are decoded as if they lay here: 0 would look like "no target". */
const BASE = 1n << 40n;

/** Decodes [start, start + size) of a section; `fields` are the section offsets of its relocations. */
export function decode(section: ElfSection, start: number, size: number, fields: ReadonlySet<number>): Decoded {
  const { Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, Register } = iced();
  const decoder = new Decoder(64, section.data.subarray(start, start + size), DecoderOptions.None);
  const instruction = new Instruction();
  decoder.ip = BASE + BigInt(start);
  const operands: Operand[] = [];
  let instructions = 0;
  while (decoder.canDecode) {
    const from = start + decoder.position;
    decoder.decodeOut(instruction);
    const end = start + decoder.position;
    instructions++;
    const flow = instruction.flowControl;
    const branch =
      (flow === FlowControl.Call ||
        flow === FlowControl.UnconditionalBranch ||
        flow === FlowControl.ConditionalBranch) &&
      instruction.nearBranchTarget !== 0n;
    let relocated = false;
    for (let at = from; at < end; at++) relocated ||= fields.has(at);
    const relative = branch || instruction.isIpRelMemoryOperand;
    if (!relocated && !relative) continue;
    const constants = decoder.getConstantOffsets(instruction);
    const { displacementOffset, displacementSize, immediateOffset, immediateSize } = constants;
    constants.free();
    const plain =
      instruction.mnemonic !== Mnemonic.Lea &&
      instruction.memoryIndex === Register.None &&
      (instruction.memoryBase === Register.None || instruction.memoryBase === Register.RIP);
    for (let at = from; at < end; at++) {
      if (!fields.has(at)) continue;
      const isMemory = displacementSize > 0 && from + displacementOffset === at;
      const width = isMemory ? displacementSize : immediateSize;
      operands.push({
        offset: at,
        size: width,
        start: from,
        end,
        branch: branch && !isMemory,
        access: isMemory && plain,
      });
    }
    if (!relative) continue;
    const offset = from + (branch ? immediateOffset : displacementOffset);
    const width = branch ? immediateSize : displacementSize;
    const target = Number((branch ? instruction.nearBranchTarget : instruction.ipRelMemoryAddress) - BASE);
    if (width === 0 || fields.has(offset) || (target >= start && target < start + size)) continue;
    operands.push({ offset, size: width, start: from, end, branch, access: !branch && plain, outside: target });
  }
  decoder.free();
  instruction.free();
  return { instructions, operands };
}

/** The instruction that covers a section offset of code that begins at `start`; its offset and its text. */
export function instructionAt(
  section: ElfSection,
  start: number,
  size: number,
  offset: number,
): { start: number; text: string } {
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction } = iced();
  const decoder = new Decoder(64, section.data.subarray(start, start + size), DecoderOptions.None);
  const instruction = new Instruction();
  decoder.ip = BigInt(start);
  let found = { start: offset, text: '(bad)' };
  while (decoder.canDecode) {
    const from = start + decoder.position;
    decoder.decodeOut(instruction);
    if (start + decoder.position <= offset) continue;
    const formatter = new Formatter(FormatterSyntax.Gas);
    found = { start: from, text: formatter.format(instruction) };
    formatter.free();
    break;
  }
  decoder.free();
  instruction.free();
  return found;
}

/** Section offset behind the first instruction from `start` on that never goes on to the next: where a fragment of code ends. */
export function fragmentEnd(section: ElfSection, start: number): number {
  const { Decoder, DecoderOptions, FlowControl, Instruction } = iced();
  const decoder = new Decoder(64, section.data.subarray(start), DecoderOptions.None);
  const instruction = new Instruction();
  let end = section.size;
  while (decoder.canDecode) {
    decoder.decodeOut(instruction);
    const flow = instruction.flowControl;
    if (flow !== FlowControl.UnconditionalBranch && flow !== FlowControl.IndirectBranch && flow !== FlowControl.Return)
      continue;
    end = start + decoder.position;
    break;
  }
  decoder.free();
  instruction.free();
  return end;
}
