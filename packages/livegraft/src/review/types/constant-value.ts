/** The value of an integer constant expression as macros have it (C11 6.6): numbers, operators, names of other constants; 64 bits, signed. */

/**
 * @param tokens of the expression
 * @param resolve what a name stands for; undefined where that is not known
 * @returns undefined for anything else: casts, sizeof, strings
 */
export function constantValue(
  tokens: readonly string[],
  resolve: (name: string) => readonly string[] | undefined,
  depth = 0,
): bigint | undefined {
  let at = 0;
  const value = binary(0);
  return at === tokens.length ? value : undefined;

  function binary(level: number): bigint | undefined {
    const operators = levels[level];
    if (operators === undefined) return unary();
    let left = binary(level + 1);
    while (left !== undefined && operators[tokens[at] ?? ''] !== undefined) {
      const operator: Operator = operators[tokens[at++]!]!;
      const right = binary(level + 1);
      left = right === undefined ? undefined : operator(left, right);
    }
    return left;
  }

  function unary(): bigint | undefined {
    const token = tokens[at++] ?? '';
    if (token === '(') {
      const inner = binary(0);
      return tokens[at++] === ')' ? inner : undefined;
    }
    if (token === '-' || token === '~' || token === '+') {
      const operand = unary();
      if (operand === undefined || token === '+') return operand;
      return token === '-' ? -operand : ~operand;
    }
    if (/^\d/.test(token)) return numberOf(token);
    if (bit.test(token)) {
      const count = tokens[at] === '(' ? unary() : undefined;
      return count === undefined || shift(count) === undefined ? undefined : BigInt.asIntN(64, 1n << count);
    }
    const meant = depth < deepest ? resolve(token) : undefined;
    return meant === undefined ? undefined : constantValue(meant, resolve, depth + 1);
  }
}

/** include/vdso/bits.h, include/linux/bits.h, include/uapi/linux/const.h */
const bit = /^(BIT|BIT_ULL|_BITUL|_BITULL)$/;

/** Names that stand for names, so deep. */
const deepest = 16;

type Operator = (a: bigint, b: bigint) => bigint | undefined;

const shift = (count: bigint): bigint | undefined => (count >= 0n && count < 64n ? count : undefined);

/** From those that bind least. */
const levels: readonly Readonly<Record<string, Operator>>[] = [
  { '|': (a, b) => a | b },
  { '^': (a, b) => a ^ b },
  { '&': (a, b) => a & b },
  {
    '<<': (a, b) => (shift(b) === undefined ? undefined : BigInt.asIntN(64, a << b)),
    '>>': (a, b) => (shift(b) === undefined ? undefined : a >> b),
  },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  {
    '*': (a, b) => a * b,
    '/': (a, b) => (b === 0n ? undefined : a / b),
    '%': (a, b) => (b === 0n ? undefined : a % b),
  },
];

/** `16`, `0x10UL`, `020`. */
function numberOf(token: string): bigint | undefined {
  const [, digits] = /^(0[xX][\da-fA-F]+|\d+)[uUlL]*$/.exec(token) ?? [];
  if (digits === undefined) return undefined;
  if (/^0[xX]/.test(digits) || !/^0\d/.test(digits)) return BigInt(digits);
  return /^[0-7]+$/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : undefined;
}
