/** `endbr64`: where an indirect branch may end under IBT (Intel SDM, volume 2). */
const endbr64 = [0xf3, 0x0f, 0x1e, 0xfa];

/** True when code begins with one. */
export function beginsWithEndbr(code: Uint8Array): boolean {
  return endbr64.every((byte, i) => code[i] === byte);
}
