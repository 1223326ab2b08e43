/** What the callers of a function make of the value it returns, by their text. */
import type { Declaration } from '../../patch/declarations.ts';
import { bracketed, callsIn, written } from './calls.ts';

/** One call, with what the caller asks of the value. Where it goes on elsewhere (another call, a member), nothing is certain. */
export interface Use {
  readonly function: string;
  readonly line: number;
  readonly how: 'ignored' | 'kept' | 'passed-on';
  /** Compared with zero or NULL, or as a condition of its own. */
  readonly asksTruth: boolean;
  /** `< 0`, `>= 0`, IS_ERR_VALUE(). */
  readonly asksSign: boolean;
  /** IS_ERR(), PTR_ERR() and the like. */
  readonly asksError: boolean;
  /** Taken as the address of an object. */
  readonly follows: boolean;
  /** Codes it is compared with: `-EAGAIN`. */
  readonly codes: readonly string[];
}

export function usesIn(caller: Declaration, callee: string): Use[] {
  const { tokens } = caller;
  const text = (i: number): string => tokens[i]?.text ?? '';
  return callsIn(caller)
    .filter(({ name }) => name === callee)
    .map(({ at, end, line }): Use => {
      const start = text(at - 1) === ')' && text(at - 2) === 'void' ? at - 4 : at - 1;
      const [before, behind] = [text(start), text(end + 1)];
      const made = (how: Use['how'], asked: Asked = nothing): Use => ({ function: caller.name, line, how, ...asked });
      if (behind === ';' && /^[;{}:]$|^else$|^do$/.test(before)) return made('ignored');
      if (behind === ';' && before === ')' && endsCondition(caller, start)) return made('ignored');
      const variable = assignedTo(caller, at);
      if (variable !== undefined) {
        const asked = askedOf(written(within(caller, at)), variable);
        const onward = new RegExp(`\\breturn ${escaped(variable)}(?!\\w|->|\\.|\\[)`).test(written(within(caller, at)));
        return made(/->|\.|\[|\*/.test(variable) || onward ? 'passed-on' : 'kept', asked);
      }
      const call = `${callee}(${bracketed(tokens, at + 1)})`;
      const asked = askedOf(written(tokens.slice(Math.max(at - 4, 0), end + 5)), call);
      const isAsked = asked.asksTruth || asked.asksSign || asked.asksError || asked.codes.length > 0;
      return made(isAsked || asked.follows ? 'kept' : 'passed-on', asked);
    });
}

type Asked = Omit<Use, 'function' | 'line' | 'how'>;

const nothing: Asked = { asksTruth: false, asksSign: false, asksError: false, follows: false, codes: [] };

function askedOf(text: string, value: string): Asked {
  const it = `(?<![\\w.>])${escaped(value)}(?![\\w(])`;
  const has = (pattern: string): boolean => new RegExp(pattern).test(text);
  const compared = `(?:${it}|\\(${it}=[^=].*?\\))`;
  return {
    asksTruth:
      has(`!${it}`) ||
      has(`${it}[!=]=(0|NULL)\\b`) ||
      has(`(?:[(]|&&|\\|\\|)${it}(?:[)]|&&|\\|\\||\\?)`) ||
      has(`\\b(?:if|while)\\(${it}\\)`) ||
      has(`\\(\\(${it}=`) ||
      has(`=${it}\\?`),
    asksSign: has(`${compared}(<=?|>=?|>)-?\\w`) || has(`IS_ERR_VALUE\\(${it}`),
    asksError: has(`\\b(IS_ERR|IS_ERR_OR_NULL|PTR_ERR|PTR_ERR_OR_ZERO|ERR_CAST|ERR_PTR)\\(${it}`),
    follows: has(`${it}->`) || has(`[;({]\\*${it}`),
    codes: [...text.matchAll(new RegExp(`${it}[!=]=(-E[A-Z0-9]+)`, 'g'))].map(([, code]) => code!),
  };
}

/** `x` in `x = [(cast)] f(`, also as a declaration and in a condition. */
function assignedTo({ tokens }: Declaration, at: number): string | undefined {
  let i = at - 1;
  if (tokens[i]?.text === ')') {
    while (i > 0 && tokens[i]!.text !== '(') i--;
    i--;
  }
  if (tokens[i]?.text !== '=') return undefined;
  let from = i;
  let depth = 0;
  for (; from > 0; from--) {
    const { text } = tokens[from - 1]!;
    if (/^[)\]]$/.test(text)) depth++;
    else if (/^[([]$/.test(text) && depth-- === 0) break;
    else if (depth === 0 && /^[;{},!=]$/.test(text)) break;
  }
  const words = tokens.slice(from, i).map(({ text }) => text);
  const start = words.findLastIndex(
    (word, n) => /^[A-Za-z_]\w*$/.test(word) && !/^(->|\.|\[)$/.test(words[n - 1] ?? ''),
  );
  return start < 0 ? undefined : words.slice(start).join('');
}

/** From the statement of a call to the function’s end: what is asked before is about an earlier value. */
function within({ tokens }: Declaration, at: number): Declaration['tokens'] {
  return tokens.slice(Math.max(at - 8, 0));
}

/** Whether this `)` ends the head of an if or a loop. */
function endsCondition({ tokens }: Declaration, close: number): boolean {
  let depth = 0;
  for (let i = close; i > 0; i--) {
    if (tokens[i]!.text === ')') depth++;
    else if (tokens[i]!.text === '(' && --depth === 0)
      return /^(if|while|for|switch)$|for_each/.test(tokens[i - 1]?.text ?? '');
  }
  return false;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
