/** Calls in a function's text, in order: what is called, and on what. Macros are not expanded, so that `spin_lock(&x->lock)` is what it says. */
import type { Declaration } from '../../patch/declarations.ts';
import type { Token } from '../../patch/tokens.ts';

export interface Call {
  readonly name: string;
  /** The arguments as written, blanks left out between tokens but where two words meet. */
  readonly arguments: readonly string[];
  readonly line: number;
  /** Of the name and of the closing bracket, among the tokens. */
  readonly at: number;
  readonly end: number;
}

const notCalled = new Set('if while for switch return sizeof typeof __typeof__ defined case do else goto'.split(' '));

export function callsIn({ tokens }: Pick<Declaration, 'tokens'>): Call[] {
  const body = tokens.findIndex((token) => token.text === '{');
  return callsAmong(tokens, body + 1);
}

/** @param from the token to begin at */
export function callsAmong(tokens: readonly Token[], from = 0): Call[] {
  const calls: Call[] = [];
  for (let at = from; at < tokens.length - 1; at++) {
    const { text: name, line } = tokens[at]!;
    if (tokens[at + 1]!.text !== '(' || !/^[A-Za-z_$]/.test(name) || notCalled.has(name)) continue;
    const { found, end } = argumentsAt(tokens, at + 2);
    calls.push({ name, arguments: found, line, at, end });
  }
  return calls;
}

/** Tokens as they would be written, without blanks that are not needed. */
export function written(tokens: readonly Pick<Token, 'text'>[]): string {
  return tokens.reduce((line, { text }) => line + (/\w$/.test(line) && /^\w/.test(text) ? ' ' : '') + text, '');
}

/** What stands between the bracket at `open` and its end. */
export function bracketed(tokens: readonly Token[], open: number): string {
  return argumentsAt(tokens, open + 1).found.join(',');
}

function argumentsAt(tokens: readonly Token[], from: number): { found: string[]; end: number } {
  const found: Token[][] = [[]];
  let depth = 0;
  let end = from;
  for (; end < tokens.length; end++) {
    const token = tokens[end]!;
    if (/^[)\]}]$/.test(token.text) && depth-- === 0) break;
    if (/^[([{]$/.test(token.text)) depth++;
    if (token.text === ',' && depth === 0) found.push([]);
    else found.at(-1)!.push(token);
  }
  const joined = found.map(written);
  return { found: joined.length === 1 && joined[0] === '' ? [] : joined, end };
}

/** `x->work` → `work`, `&x->locks[i]` → `locks`; what is no member is itself. */
export function memberOf(object: string): string {
  return /(?:->|\.)(\w+)(?:\[.*\])?$/.exec(object)?.[1] ?? object;
}
