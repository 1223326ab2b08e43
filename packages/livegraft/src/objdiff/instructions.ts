/** The few questions about x86-64 machine code that bytes and relocations cannot answer; iced-x86 does the decoding. */
import { createRequire } from 'node:module';
import type { ElfSection } from '@livegraft/binfmt/elf/types';

/** Where an atom lies in its section. */
interface Extent {
  readonly start: number;
  readonly size: number;
}

export interface OutwardBranch {
  /** Section offset of the displacement. */
  readonly field: number;
  /** Section offset that the branch goes to. */
  readonly target: number;
  /** From the field to the end of the instruction, bytes. */
  readonly bias: number;
  /** The relocation type that stands for it: R_X86_64_PC32 or PC8. */
  readonly type: number;
}

type Iced = typeof import('iced-x86');
let loaded: Iced | undefined;

/** iced-x86 takes 80 ms to load: only when it is needed. */
function iced(): Iced {
  loaded ??= createRequire(import.meta.url)('iced-x86') as Iced;
  return loaded;
}

/** For each relocated field in the given code: section offset of the field → section offset of its instruction's end. */
export function instructionEnds(section: ElfSection, extents: readonly Extent[]): ReadonlyMap<number, number> {
  const fields = new Set(section.relocations.map((relocation) => relocation.offset));
  const ends = new Map<number, number>();
  eachInstruction(section, extents, (start, end) => {
    for (let at = start; at < end; at++) if (fields.has(at)) ends.set(at, end);
  });
  return ends;
}

/**
 * Branches that leave their atom without a relocation: the assembler resolves those between functions of one section
 * (`.noinstr.text`, `.sched.text`, objects built without -ffunction-sections).
 */
export function outwardBranches(section: ElfSection, extents: readonly Extent[]): readonly OutwardBranch[] {
  const { FlowControl } = iced();
  const relocated = new Set(section.relocations.map((relocation) => relocation.offset));
  const found: OutwardBranch[] = [];
  eachInstruction(section, extents, (start, end, instruction, decoder, extent) => {
    const flow = instruction.flowControl;
    const near =
      flow === FlowControl.Call || flow === FlowControl.UnconditionalBranch || flow === FlowControl.ConditionalBranch;
    if (!near || instruction.nearBranchTarget === 0n) return;
    const constants = decoder.getConstantOffsets(instruction);
    const field = start + constants.immediateOffset;
    const size = constants.immediateSize;
    constants.free();
    if (size === 0 || relocated.has(field)) return;
    const target = Number(BigInt.asIntN(64, instruction.nearBranchTarget));
    if (target >= extent.start && target < extent.start + extent.size) return;
    found.push({ field, target, bias: end - field, type: size === 1 ? 15 : 2 });
  });
  return found;
}

type Visit = (
  start: number,
  end: number,
  instruction: import('iced-x86').Instruction,
  decoder: import('iced-x86').Decoder,
  extent: Extent,
) => void;

function eachInstruction(section: ElfSection, extents: readonly Extent[], visit: Visit): void {
  const { Decoder, DecoderOptions, Instruction } = iced();
  const instruction = new Instruction();
  for (const extent of extents) {
    const decoder = new Decoder(64, section.data.subarray(extent.start, extent.start + extent.size), DecoderOptions.None);
    decoder.ip = BigInt(extent.start);
    while (decoder.canDecode) {
      const start = extent.start + decoder.position;
      decoder.decodeOut(instruction);
      visit(start, extent.start + decoder.position, instruction, decoder, extent);
    }
    decoder.free();
  }
  instruction.free();
}
