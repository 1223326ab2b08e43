/** The few questions about x86-64 machine code that bytes and relocations cannot answer; iced-x86 does the decoding. */
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import { iced } from '../support/iced.ts';

/** Where an atom lies in its section. */
interface Extent {
  readonly start: number;
  readonly size: number;
}

/** A relocated field and the instruction it is part of. */
export interface Field {
  /** Section offset of the instruction's end. */
  readonly end: number;
  /** True when the instruction reads or writes memory at exactly this address: no register is added, no address is kept. */
  readonly access: boolean;
}

/** A PC-relative operand without a relocation that leads out of its atom. */
export interface OutwardReference {
  /** Section offset of the displacement. */
  readonly offset: number;
  /** Section offset that is meant. */
  readonly target: number;
  /** From the field to the end of the instruction, bytes. */
  readonly bias: number;
  /** The relocation type that stands for it: R_X86_64_PC32 or PC8. */
  readonly type: number;
}

/** Where sections are made to lie while they are decoded: 0 would look like "no target". */
const BASE = 1n << 40n;

/** The relocated fields in the given code, by section offset. */
export function relocatedFields(section: ElfSection, extents: readonly Extent[]): ReadonlyMap<number, Field> {
  const { Mnemonic, Register } = iced();
  const fields = new Set(section.relocations.map((relocation) => relocation.offset));
  const found = new Map<number, Field>();
  eachInstruction(section, extents, (start, end, instruction, decoder) => {
    for (let at = start; at < end; at++) {
      if (!fields.has(at)) continue;
      const constants = decoder.getConstantOffsets(instruction);
      const plain =
        constants.displacementSize > 0 &&
        start + constants.displacementOffset === at &&
        instruction.mnemonic !== Mnemonic.Lea &&
        instruction.memoryIndex === Register.None &&
        (instruction.memoryBase === Register.None || instruction.memoryBase === Register.RIP);
      constants.free();
      found.set(at, { end, access: plain });
    }
  });
  return found;
}

/**
 * What leaves its atom without a relocation, by rising offset: the assembler resolves branches and addresses between
 * the functions of one section (`.noinstr.text`, `.sched.text`, objects built without -ffunction-sections).
 */
export function outwardReferences(section: ElfSection, extents: readonly Extent[]): readonly OutwardReference[] {
  const { FlowControl } = iced();
  const relocated = new Set(section.relocations.map((relocation) => relocation.offset));
  const found: OutwardReference[] = [];
  eachInstruction(section, extents, (start, end, instruction, decoder, extent) => {
    const flow = instruction.flowControl;
    const near =
      (flow === FlowControl.Call ||
        flow === FlowControl.UnconditionalBranch ||
        flow === FlowControl.ConditionalBranch) &&
      instruction.nearBranchTarget !== 0n;
    const memory = instruction.isIpRelMemoryOperand;
    if (!near && !memory) return;
    const constants = decoder.getConstantOffsets(instruction);
    const field = start + (near ? constants.immediateOffset : constants.displacementOffset);
    const size = near ? constants.immediateSize : constants.displacementSize;
    constants.free();
    if (size === 0 || relocated.has(field)) return;
    const target = Number((near ? instruction.nearBranchTarget : instruction.ipRelMemoryAddress) - BASE);
    if (target >= extent.start && target < extent.start + extent.size) return;
    found.push({ offset: field, target, bias: end - field, type: size === 1 ? 15 : 2 });
  });
  return found.sort((a, b) => a.offset - b.offset);
}

/** True unless the code in [start, end) ends with an instruction that never goes on to the next. */
export function fallsThrough(section: ElfSection, start: number, end: number): boolean {
  const { FlowControl } = iced();
  let falls = true;
  eachInstruction(section, [{ start, size: end - start }], (_, stop, instruction) => {
    const flow = instruction.flowControl;
    falls = !(
      stop === end &&
      (flow === FlowControl.UnconditionalBranch ||
        flow === FlowControl.IndirectBranch ||
        flow === FlowControl.Return ||
        flow === FlowControl.Exception)
    );
  });
  return falls;
}

/**
 * Immediate operands that calls get as the argument right behind one that is the address of a name: in
 * `mov $"fs/aio.c",%rdi; mov $123,%esi; call f` it is 123. Follows the code from call to call and along jumps.
 * @param isName whether the relocated field at a section offset is the address of a name
 * @returns section offset of the immediate → section offset of the name's field
 */
export function immediatesBehind(
  section: ElfSection,
  extent: Extent,
  isName: (field: number) => boolean,
): ReadonlyMap<number, number> {
  const { FlowControl, OpAccess, InstructionInfoFactory, Mnemonic, Register, RegisterExt } = iced();
  const order = [Register.RDI, Register.RSI, Register.RDX, Register.RCX, Register.R8, Register.R9];
  const found = new Map<number, number>();
  /** What the registers hold where a jump arrives. */
  const arriving = new Map<number, Arguments>();
  const info = new InstructionInfoFactory();
  /** The seventh argument lies on the stack: it is pushed last. */
  const onStack = order.length;
  const nothing: Arguments = [...order.map(() => ({ immediates: [] })), { immediates: [] }];
  let held = nothing;
  // twice: what jumps backwards arrives the second time
  eachInstruction(section, [extent, extent], (start, _, instruction, decoder) => {
    if (start === extent.start) held = nothing;
    held = joined(held, arriving.get(start));
    const flow = instruction.flowControl;
    if (flow === FlowControl.Call || flow === FlowControl.IndirectCall) {
      held.slice(1).forEach(({ immediates }, i) => {
        const { name } = held[i]!;
        if (name !== undefined) for (const field of immediates) found.set(field, name);
      });
      held = nothing;
    } else if (flow === FlowControl.ConditionalBranch || flow === FlowControl.UnconditionalBranch) {
      const target = Number(instruction.nearBranchTarget - BASE);
      arriving.set(target, joined(held, arriving.get(target)));
      if (flow === FlowControl.UnconditionalBranch) held = nothing;
    } else if (flow !== FlowControl.Next) {
      held = nothing;
    } else {
      const written = info.info(instruction);
      const next = [...held];
      for (const used of written.usedRegisters()) {
        const i = order.indexOf(RegisterExt.fullRegister(used.register));
        if (i >= 0 && used.access !== OpAccess.Read && used.access !== OpAccess.CondRead) next[i] = { immediates: [] };
        used.free();
      }
      written.free();
      const i = order.indexOf(RegisterExt.fullRegister(instruction.op0Register));
      const isMove = instruction.mnemonic === Mnemonic.Mov;
      if (i >= 0 && (isMove || instruction.mnemonic === Mnemonic.Lea)) {
        const constants = decoder.getConstantOffsets(instruction);
        const field = start + (isMove ? constants.immediateOffset : constants.displacementOffset);
        if ((isMove ? constants.immediateSize : constants.displacementSize) > 0 && isName(field)) {
          next[i] = { name: field, immediates: [] };
        } else if (isMove && constants.immediateSize === 4) next[i] = { immediates: [field] };
        constants.free();
      } else if (instruction.stackPointerIncrement < 0) {
        const constants = decoder.getConstantOffsets(instruction);
        next[onStack] = { immediates: constants.immediateSize === 4 ? [start + constants.immediateOffset] : [] };
        constants.free();
      }
      held = next;
    }
  });
  info.free();
  return found;
}

/** What each argument register may hold: the address of a name (its field), or one of some immediate operands (theirs). */
type Arguments = readonly { readonly name?: number; readonly immediates: readonly number[] }[];

function joined(a: Arguments, b: Arguments | undefined): Arguments {
  if (b === undefined) return a;
  return a.map((one, i) => {
    const name = one.name ?? b[i]!.name;
    return {
      ...(name === undefined ? {} : { name }),
      immediates: [...new Set([...one.immediates, ...b[i]!.immediates])],
    };
  });
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
    const decoder = new Decoder(
      64,
      section.data.subarray(extent.start, extent.start + extent.size),
      DecoderOptions.None,
    );
    decoder.ip = BASE + BigInt(extent.start);
    while (decoder.canDecode) {
      const start = extent.start + decoder.position;
      decoder.decodeOut(instruction);
      visit(start, extent.start + decoder.position, instruction, decoder, extent);
    }
    decoder.free();
  }
  instruction.free();
}
