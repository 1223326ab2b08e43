/**
 * Constants that the kernel writes into its own code while it starts (arch/x86/include/asm/runtime-const.h, since 6.11): `mov $0x0123456789abcdef, %reg`,
 * with an entry in `runtime_ptr_SYMBOL` that says where the number is. Nobody writes them into a module, so new code loads the variable of that name
 * instead, which does not change after the start: `mov SYMBOL(%rip), %reg` and a nop, in the same ten bytes.
 */

const prefix = 'runtime_ptr_';
const placeholder = [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01];

/** The variable whose value the constants of a table are; undefined for a table of another kind (`runtime_shift_…`). */
export function runtimePointer(table: string): string | undefined {
  return table.startsWith(prefix) ? table.slice(prefix.length) : undefined;
}

/**
 * Changes the instruction whose number is at `at` into one that loads.
 * @returns the offset of the field for R_X86_64_PC32 with addend -4; undefined when the instruction is not as expected, and then nothing is changed
 */
export function loadInstead(code: Uint8Array, at: number): number | undefined {
  const rex = code[at - 2];
  const opcode = code[at - 1] ?? 0;
  if ((rex !== 0x48 && rex !== 0x49) || (opcode & 0xf8) !== 0xb8) return undefined;
  if (!placeholder.every((byte, i) => code[at + i] === byte)) return undefined;
  // REX.B, which extends the register of `mov imm64`, becomes REX.R
  const modrm = ((opcode & 7) << 3) | 0b101;
  code.set([rex === 0x49 ? 0x4c : 0x48, 0x8b, modrm, 0, 0, 0, 0, 0x0f, 0x1f, 0x00], at - 2);
  return at + 1;
}
