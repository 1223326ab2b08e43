/**
 * Numbers that the kernel fills in in its own code while it starts (`runtime_ptr_SYMBOL`, arch/x86/include/asm/runtime-const.h). In a module nobody
 * does: in the place of `mov $NUMBER, %reg` there must be a load of SYMBOL into the same register, and nothing else in those ten bytes.
 */
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import { iced } from '../support/iced.ts';
import type { Item, Meaning, UnitFile } from './object.ts';

const size = 10;

export interface RuntimeConstant {
  /** Offset of the instruction in the item; it takes ten bytes. */
  readonly start: number;
  /** `runtime_ptr_` or another table, and its symbol. */
  readonly table: string;
  readonly symbol: string;
}

/** Those of a piece of code of a unit. */
export function runtimeConstantsOf(file: UnitFile, item: Item): RuntimeConstant[] {
  const found: RuntimeConstant[] = [];
  for (const section of file.elf.sections) {
    const match = /^(runtime_[a-z]+_)(.+)$/.exec(section.name);
    if (match === null) continue;
    for (const { symbol, addend } of section.relocations) {
      const { section: home, value } = file.elf.symbols[symbol]!;
      const at = Number(value) + addend - item.start;
      if (home === item.section.index && at >= 0 && at < item.size)
        found.push({ start: at - 2, table: match[1]!, symbol: match[2]! });
    }
  }
  return found;
}

export function isCovered(constants: readonly RuntimeConstant[], offset: number): boolean {
  return constants.some(({ start }) => offset >= start && offset < start + size);
}

/** What the load must be about, and where its field must lie, as offsets from the instruction. */
export const loadField = { offset: 3, addend: -4, bias: 4 } as const;

export function meaningOf(file: UnitFile, { symbol }: RuntimeConstant): Meaning {
  const item = file.named(symbol);
  if (item === undefined) return { kind: 'undefined', name: symbol, addend: loadField.addend };
  return { kind: 'item', item, at: loadField.addend, boundary: false };
}

/** What is wrong with the module's code in the place of the constant; undefined when it is a load into the same register. */
export function loadProblem(
  constant: RuntimeConstant,
  item: Item,
  section: ElfSection,
  start: number,
): string | undefined {
  if (constant.table !== 'runtime_ptr_') return `a number of ${constant.table}, which cannot be loaded`;
  const { Code, Decoder, DecoderOptions, Mnemonic, Register } = iced();
  const decode = (data: Uint8Array, from: number): string[] => {
    const decoder = new Decoder(64, data.subarray(from, from + size), DecoderOptions.None);
    const words: string[] = [];
    while (decoder.canDecode) {
      const instruction = decoder.decode();
      const register = Register[instruction.op0Register];
      if (instruction.code === Code.Mov_r64_imm64) words.push(`number into ${register}`);
      else if (instruction.code === Code.Mov_r64_rm64 && instruction.isIpRelMemoryOperand)
        words.push(`load into ${register}`);
      else words.push(instruction.mnemonic === Mnemonic.Nop ? 'nop' : 'another instruction');
      instruction.free();
    }
    decoder.free();
    return words;
  };
  const [number, ...rest] = decode(item.section.data, item.start + constant.start);
  const wanted = number?.replace('number', 'load');
  const found = decode(section.data, start + constant.start);
  if (number?.startsWith('number into ') !== true || rest.length > 0) return `${number ?? 'nothing'}, not a number`;
  if (found.length === 2 && found[0] === wanted && found[1] === 'nop') return undefined;
  return found.join(', ');
}
