/** Calls in a function's text, in order: what is called, and on what. Macros are not expanded, so that `spin_lock(&x->lock)` is what it says. */
import type { Declaration } from '../../patch/declarations.ts';

export interface Call {
  readonly name: string;
  /** The arguments as written, blanks left out between tokens but where two words meet. */
  readonly arguments: readonly string[];
  readonly line: number;
}

const notCalled = new Set('if while for switch return sizeof typeof __typeof__ defined case do else goto'.split(' '));

export function callsIn({ tokens }: Pick<Declaration, 'tokens'>): Call[] {
  const body = tokens.findIndex((token) => token.text === '{');
  const calls: Call[] = [];
  for (let i = body + 1; i < tokens.length - 1; i++) {
    const { text, line } = tokens[i]!;
    if (tokens[i + 1]!.text !== '(' || !/^[A-Za-z_$]/.test(text) || notCalled.has(text)) continue;
    calls.push({ name: text, arguments: argumentsAt(tokens, i + 2), line });
  }
  return calls;
}

function argumentsAt(tokens: Declaration['tokens'], from: number): string[] {
  const found: string[][] = [[]];
  let depth = 0;
  for (let i = from; i < tokens.length; i++) {
    const { text } = tokens[i]!;
    if (/^[)\]}]$/.test(text) && depth-- === 0) break;
    if (/^[([{]$/.test(text)) depth++;
    if (text === ',' && depth === 0) found.push([]);
    else found.at(-1)!.push(text);
  }
  const joined = found.map((words) =>
    words.reduce((line, word) => line + (/\w$/.test(line) && /^\w/.test(word) ? ' ' : '') + word, ''),
  );
  return joined.length === 1 && joined[0] === '' ? [] : joined;
}
