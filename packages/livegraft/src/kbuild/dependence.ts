/**
 * What of a preprocessed unit its code can depend on. A unit that includes a changed header often does not use what changed: an inline
 * function that nobody here calls, a structure that nothing here mentions. So the text is cut into external declarations (C11 6.9);
 * those that make code or data by themselves are wanted, and with them, again and again, every declaration of a name that a wanted
 * one mentions. What is not wanted can change without consequence: C has no other way to depend on a declaration than its name.
 * Names are judged generously (declaration.ts), and #pragma lines and whatever else is out of the ordinary are wanted from the start.
 */
import { type DeclarationFacts, readDeclaration } from './declaration.ts';

/** What was found out about declarations before: headers give thousands of units the same. */
export type DeclarationMemo = Map<string, DeclarationFacts>;

/** More than this many are forgotten all at once: some 100 MB. */
const remembered = 150_000;

interface Span {
  readonly start: number;
  readonly end: number;
  /** Where the body of a function definition begins. */
  readonly body: number | undefined;
}

export interface Depended {
  /** The wanted declarations in their order, without line marks. */
  readonly text: string;
  /** All words in them, and the macros that were used or asked for anywhere. */
  readonly words: ReadonlySet<string>;
}

/**
 * @param text what the compiler's `-E -dU` gives: with a line for each macro that is used
 * @returns undefined when the text defeats the cutting (brackets that do not match)
 */
export function dependedOn(text: Buffer, memo: DeclarationMemo = new Map()): Depended | undefined {
  const spans = cutDeclarations(text);
  if (spans === undefined) return undefined;
  if (memo.size > remembered) memo.clear();
  const declarations = spans.map(({ start, end }) => withoutMarks(text.toString('latin1', start, end)));
  const facts = declarations.map((declaration, i) => {
    const known = memo.get(declaration);
    if (known !== undefined) return known;
    const { start, end, body } = spans[i]!;
    const head = body === undefined ? declaration : withoutMarks(text.toString('latin1', start, body));
    const found = readDeclaration(head, body === undefined ? '' : withoutMarks(text.toString('latin1', body, end)));
    memo.set(declaration, found);
    return found;
  });
  const byName = new Map<string, number[]>();
  for (const [i, { names }] of facts.entries()) {
    for (const name of names) {
      const known = byName.get(name);
      if (known === undefined) byName.set(name, [i]);
      else known.push(i);
    }
  }
  const wanted = facts.map((one) => one.wanted);
  const queue = [...wanted.keys()].filter((i) => wanted[i]);
  const mentioned = new Set<string>();
  for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
    for (const name of facts[i]!.mentions()) {
      if (mentioned.has(name)) continue;
      mentioned.add(name);
      for (const other of byName.get(name) ?? []) {
        if (wanted[other]) continue;
        wanted[other] = true;
        queue.push(other);
      }
    }
  }
  const parts = declarations.filter((_, i) => wanted[i]);
  const plain = parts.join('\n').replace(/"(?:\\.|[^"\\])*"|\s+/g, (part) => (part.startsWith('"') ? part : ' '));
  for (const name of macrosIn(text)) mentioned.add(name);
  return { text: plain, words: mentioned };
}

/** The names in the lines of -dU. */
function macrosIn(text: Buffer): Set<string> {
  const names = new Set<string>();
  for (const directive of ['\n#define ', '\n#undef ']) {
    for (let at = text.indexOf(directive); at >= 0; at = text.indexOf(directive, at + 1)) {
      const from = at + directive.length;
      let to = from;
      while (to < text.length && isWord(text[to]!)) to++;
      names.add(text.toString('latin1', from, to));
    }
  }
  return names;
}

/** Line marks, and the macros of -dU. */
export const markLine = /^#(?: ?\d|define |undef ).*$/gm;

function withoutMarks(text: string): string {
  return text.includes('\n#') ? text.replace(markLine, '') : text;
}

/**
 * One pass over the characters, which are many: 3 to 6 million a unit. A declaration ends with a `;` outside all brackets, or with the
 * body of a function.
 */
function cutDeclarations(text: Uint8Array): readonly Span[] | undefined {
  const spans: Span[] = [];
  const closers: number[] = [];
  let start = skipBlanks(text, 0);
  let i = start;
  let body: number | undefined;
  /** The last thing outside brackets, with attributes left out: after `)` a `{` begins a function's body. */
  let last = '';
  let beforeAttribute = '';
  let initializer = false;
  const finish = (end: number): void => {
    if (start < end && !(text[start] === semicolon && end === start + 1)) spans.push({ start, end, body });
    start = skipBlanks(text, end);
    i = Math.max(i, start);
    body = undefined;
    last = '';
    initializer = false;
  };
  while (i < text.length) {
    const c = text[i]!;
    if (c === quote || c === apostrophe) {
      i = endOfLiteral(text, i);
      if (i > text.length) return undefined;
      if (closers.length === 0) last = 'literal';
    } else if (c === 40 || c === 91 || c === 123) {
      if (c === 123 && closers.length === 0 && last === ')' && !initializer) body = i;
      closers.push(c === 40 ? 41 : c + 2);
      i++;
    } else if (c === 41 || c === 93 || c === 125) {
      if (closers.pop() !== c) return undefined;
      i++;
      if (closers.length > 0) continue;
      if (c === 125 && body !== undefined) finish(i);
      else last = last === attribute ? beforeAttribute : String.fromCharCode(c);
    } else if (c === hash) {
      // a line mark, or a #pragma: between declarations that is one of its own, inside of one a part of it
      const line = endOfLine(text, i);
      const alone = i === start;
      const mark = isMark(text, i);
      if (!mark && closers.length > 0) return undefined;
      i = line;
      if (!mark && alone) finish(line);
    } else if (closers.length > 0) i++;
    else if (c === semicolon) finish(++i);
    else if (isWord(c)) {
      const from = i;
      while (i < text.length && isWord(text[i]!)) i++;
      const word = String.fromCharCode(...text.subarray(from, i));
      if (word === '__attribute__' || word === '__attribute') {
        if (last !== attribute) beforeAttribute = last;
        last = attribute;
      } else last = word;
    } else {
      if (c === equals) initializer = true;
      i++;
    }
  }
  if (closers.length > 0) return undefined;
  finish(text.length);
  return spans;
}

const attribute = '__attribute__';
const [quote, apostrophe, hash, semicolon, equals] = [34, 39, 35, 59, 61];

/** Letters, digits, `_` and `$`. */
function isWord(c: number): boolean {
  return (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95 || (c >= 48 && c <= 57) || c === 36;
}

/** The index after the closing quote; beyond the text when there is none. */
function endOfLiteral(text: Uint8Array, from: number): number {
  const end = text[from];
  for (let i = from + 1; i < text.length; i++) {
    const c = text[i];
    if (c === 92) i++;
    else if (c === end) return i + 1;
  }
  return text.length + 1;
}

/** Over white space and line marks. */
function skipBlanks(text: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    while (at < text.length && text[at]! <= 32) at++;
    if (text[at] !== hash || !isMark(text, at)) return at;
    at = endOfLine(text, at);
  }
}

/** `# 12 "file"`, or a macro; `#line` is gone after preprocessing. */
function isMark(text: Uint8Array, at: number): boolean {
  // #define, #undef
  if (text[at + 1] === 100 || text[at + 1] === 117) return true;
  const next = text[at + 1] === 32 ? text[at + 2] : text[at + 1];
  return next !== undefined && next >= 48 && next <= 57;
}

function endOfLine(text: Uint8Array, from: number): number {
  const at = text.indexOf(10, from);
  return at < 0 ? text.length : at;
}
