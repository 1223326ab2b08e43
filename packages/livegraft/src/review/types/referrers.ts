/** Who refers to a function in what was shipped. */
import { SHF } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { KernelSymbol } from '@livegraft/binfmt/kallsyms';
import type { KernelImage } from '../../kernel/image.ts';
import { opcodeBefore } from '../../support/branches.ts';
import { iced } from '../../support/iced.ts';

/**
 * Functions and variables of vmlinux that refer to an address: fields of code that count from their own end (calls, jumps, lea), and plain
 * addresses. Bytes are looked for first, and only where they are found instructions are decoded.
 */
export function referrersIn(image: KernelImage, target: bigint): KernelSymbol[] {
  const found = image.sections
    .filter(({ flags, data, name }) => (flags & SHF.ALLOC) !== 0 && data.length > 0 && !tables.test(name))
    .flatMap((section) => {
      const { name, data, address } = section;
      const isCode = (section.flags & SHF.EXECINSTR) !== 0;
      const relative = isCode ? relativeTo(data, Number(target - address)) : [];
      // what start-up called, it called; where it stored an address, that stays
      const staying = isGone(name) ? relative.filter((offset) => opcodeBefore(data, offset) === undefined) : relative;
      return [...staying, ...absolute(data, target, isCode ? 4 : 8)].flatMap((offset) => {
        const place = address + BigInt(offset);
        const symbol = image.symbols.covering(place);
        return symbol === undefined || (isCode && !isOperand(image, symbol, place, target)) ? [] : [symbol];
      });
    });
  return [...new Set(found)].filter(({ name }) => !isList.test(name));
}

/** Whether the instruction at `place` means `target`: near to it, small distances are common bytes. */
function isOperand(image: KernelImage, symbol: KernelSymbol, place: bigint, target: bigint): boolean {
  const size = image.symbols.extent(symbol);
  if (size === undefined || size > mostBytes) return true;
  const { Decoder, DecoderOptions } = iced();
  const decoder = new Decoder(64, image.read(symbol.address, size), DecoderOptions.None);
  decoder.ip = symbol.address;
  try {
    for (;;) {
      const instruction = decoder.decode();
      const low = BigInt.asUintN(32, target);
      const means =
        instruction.nearBranchTarget === target ||
        (instruction.isIpRelMemoryOperand && instruction.ipRelMemoryAddress === target) ||
        BigInt(instruction.immediate32) === low ||
        BigInt.asUintN(32, instruction.memoryDisplacement) === low;
      instruction.free();
      if (decoder.ip > place || !decoder.canDecode) return means;
    }
  } finally {
    decoder.free();
  }
}

/** Of a function that is decoded. */
const mostBytes = 1 << 16;

/** About code, and the symbols themselves. */
const tables = /^(__ksymtab|__mcount_loc|\.orc_|__bug_table|__ex_table|\.BTF|\.notes|\.rela|\.smp_locks)/;

/** Lists of functions that lie in other sections: what ftrace, kprobes and error injection know. */
const isList = /^__(start|stop)_/;

function isGone(section: string): boolean {
  return section.startsWith('.init');
}

/** Offsets of fields that lead to `target`, an offset too, counted from their own end. */
function relativeTo(bytes: Uint8Array, target: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at++) if (view.getInt32(at, true) + at + 4 === target) found.push(at);
  return found;
}

/** Offsets of an address in its low bytes. */
function absolute(bytes: Uint8Array, target: bigint, size: 4 | 8): number[] {
  const pattern = Buffer.alloc(8);
  pattern.writeBigUInt64LE(target);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: number[] = [];
  for (let at = buffer.indexOf(pattern.subarray(0, size)); at >= 0; ) {
    found.push(at);
    at = buffer.indexOf(pattern.subarray(0, size), at + 1);
  }
  return found;
}

/**
 * Names of functions and variables of a module that refer to a global function of its own.
 * @param bytes the .ko
 */
export function referrersInModule(bytes: Uint8Array, name: string): string[] {
  const { sections, symbols } = readElf(bytes);
  const found = sections
    .filter(({ flags, name: section }) => (flags & SHF.ALLOC) !== 0 && !tables.test(section))
    .flatMap((section) =>
      section.relocations
        .filter(({ symbol }) => symbols[symbol]?.name === name)
        .filter(({ offset }) => !isGone(section.name) || opcodeBefore(section.data, offset) === undefined)
        .map(({ offset }) =>
          symbols.find(
            (each) =>
              each.section === section.index &&
              each.name !== '' &&
              Number(each.value) <= offset &&
              offset < Number(each.value) + each.size,
          ),
        ),
    )
    .map((symbol) => symbol?.name ?? '');
  return [...new Set(found)].filter((each) => each !== '');
}
