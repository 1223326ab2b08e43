/** Direct calls and jumps in machine code (Intel SDM, volume 2). */

/** The start of a direct call or jump whose distance stands at `field`: e8, e9, 0f 80 to 0f 8f. */
export function opcodeBefore(bytes: Uint8Array, field: number): number | undefined {
  const opcode = bytes[field - 1];
  if (opcode === 0xe8 || opcode === 0xe9) return field - 1;
  return opcode !== undefined && (opcode & 0xf0) === 0x80 && bytes[field - 2] === 0x0f ? field - 2 : undefined;
}
