/**
 * Puts `#line N` marks into a patched file so that unchanged code keeps the line numbers it had: a shifted __LINE__ (in every
 * WARN_ON) would make unchanged functions look changed. A line that was at N in the original is preceded by `#line N` when the
 * numbering before it is off, but only at a *boundary*: outside all braces, parentheses, comments and directives, after `;`, `}`,
 * a directive, or the file's beginning.
 *
 * Why that is sound: between two external declarations (C11 6.9) a #line directive changes nothing but what __LINE__ expands to
 * (6.10.4); with no open parenthesis the line cannot be inside the arguments of a macro (6.10.3p11), and after `;` or `}` no
 * function-like macro name waits for its `(`. __FILE__ stays, since no name is given. The marks are only an optimisation: where
 * the text defeats the simple lexer below (braces that differ between the branches of an #ifdef), it stops marking, and functions
 * with __LINE__ count as changed. Numbers of added lines may repeat those of old ones.
 *
 * A mark inside an #if branch holds only if that branch is compiled, so after the branch the numbering counts as unknown again.
 */
import type { Line } from './text.ts';

/**
 * @param lines the patched file
 * @param origins for each line its number (1-based) in the original file; undefined for added lines
 */
export function markLines(lines: readonly Line[], origins: readonly (number | undefined)[]): Line[] {
  const boundaries = findBoundaries(lines);
  if (boundaries === undefined) return [...lines];
  const marked: Line[] = [];
  /** What to add to a line's index to get the number the compiler counts (undefined: not known), and the branch this was set in. */
  let known: { branch: readonly number[]; shift: number | undefined } = { branch: [], shift: 1 };
  for (const [i, line] of lines.entries()) {
    const origin = origins[i];
    const branch = boundaries.branches[i]!;
    // a mark made in a branch that is closed by now: nobody knows whether it was compiled
    if (!known.branch.every((id, depth) => branch[depth] === id)) known = { branch, shift: undefined };
    if (origin !== undefined && boundaries.at[i] && (known.shift === undefined || i + known.shift !== origin)) {
      marked.push({ text: `#line ${origin}`, newline: true });
      known = { branch, shift: origin - i };
    }
    marked.push(line);
  }
  return marked;
}

interface Boundaries {
  /** Whether a directive may be put before line i. */
  readonly at: readonly boolean[];
  /** The #if branches line i is in, outermost first; each branch of each #if has a number of its own. */
  readonly branches: readonly (readonly number[])[];
}

/** What is open at some point of the text. */
interface Point {
  /** The open braces, parentheses and brackets, outermost first. */
  readonly open: string;
  /** Whether a declaration, a definition or a directive has just ended. */
  readonly settled: boolean;
}

interface Conditional {
  readonly before: Point;
  readonly ends: Point[];
  hasElse: boolean;
}

const closers: Readonly<Record<string, string>> = { '}': '{', ')': '(', ']': '[' };

/** Of #if in #if; C11 5.2.4.1 asks compilers for 63, and every line keeps the branches it is in. */
const deepest = 200;

/** Lexes a C file just far enough; undefined when it has #line directives of its own, or is nested without end. */
function findBoundaries(lines: readonly Line[]): Boundaries | undefined {
  const at: boolean[] = [];
  const branches: (readonly number[])[] = [];
  const conditionals: Conditional[] = [];
  let branch: readonly number[] = [];
  let branchCount = 0;
  let point: Point | undefined = { open: '', settled: true };
  let [spliced, code, comment, midLine] = ['', '', false, false];

  for (const { text } of lines) {
    at.push(point !== undefined && point.open === '' && point.settled && !midLine);
    branches.push(branch);
    // splices (gcc allows blanks after the backslash) and block comments join lines before directives are seen (C11 5.1.1.2)
    const continued = /\\[ \t\r\f\v]*$/.exec(text);
    spliced += continued === null ? text : text.slice(0, continued.index);
    midLine = true;
    if (continued !== null) continue;
    const scanned = scan(spliced, comment);
    spliced = '';
    code += scanned.code;
    comment = scanned.comment;
    if (comment) continue;
    const logical = code;
    code = '';
    midLine = false;

    const directive = /^\s*(?:#|%:)\s*(\w*)/.exec(logical)?.[1];
    if (directive === undefined) {
      point = point && advance(point, logical);
      continue;
    }
    if (/^(line|\d+)$/.test(directive)) return undefined;
    if (/^if(n?def)?$/.test(directive)) {
      conditionals.push({ before: point ?? { open: '', settled: false }, ends: [], hasElse: false });
      branch = [...branch, ++branchCount];
      if (branch.length > deepest) return undefined;
    } else if (/^(elif(n?def)?|else|endif)$/.test(directive)) {
      const conditional = conditionals.at(-1);
      if (conditional === undefined || point === undefined) {
        point = undefined;
        continue;
      }
      conditional.ends.push(point);
      conditional.hasElse ||= directive === 'else';
      branch = branch.slice(0, -1);
      if (directive === 'endif') {
        conditionals.pop();
        point = merge(conditional.hasElse ? conditional.ends : [...conditional.ends, conditional.before]);
      } else {
        branch = [...branch, ++branchCount];
        point = conditional.before;
      }
    }
  }
  return { at, branches };
}

/** The point after one more line of code; undefined when brackets do not match. */
function advance(point: Point, code: string): Point | undefined {
  let { open, settled } = point;
  for (const c of code) {
    if (c === '{' || c === '(' || c === '[') open += c;
    const opener = closers[c];
    if (opener !== undefined) {
      if (!open.endsWith(opener)) return undefined;
      open = open.slice(0, -1);
    }
    if (!/\s/.test(c)) settled = c === ';' || c === '}';
  }
  return { open, settled };
}

/** The point after an #endif; undefined when the branches leave different things open. */
function merge(ends: readonly Point[]): Point | undefined {
  const [first] = ends;
  if (first === undefined || ends.some((end) => end.open !== first.open)) return undefined;
  return { open: first.open, settled: ends.every((end) => end.settled) };
}

/**
 * One spliced line without comments, with strings and character constants shrunk to a quote.
 * A constant that does not end on its line (an apostrophe in `#error` or in text that is compiled out) ends with the line.
 */
function scan(text: string, inComment: boolean): { code: string; comment: boolean } {
  let code = '';
  let comment = inComment;
  for (let i = 0; i < text.length; i++) {
    if (comment) {
      const end = text.indexOf('*/', i);
      if (end < 0) return { code, comment };
      comment = false;
      i = end + 1;
      code += ' ';
      continue;
    }
    const c = text[i]!;
    // `#include <a//b>` is cut short too, which does no harm: only its `#include` matters
    if (c === '/' && text[i + 1] === '/') break;
    if (c === '/' && text[i + 1] === '*') {
      comment = true;
      i++;
      continue;
    }
    if (c === '"' || c === "'") {
      let end = i + 1;
      while (end < text.length && text[end] !== c) end += text[end] === '\\' ? 2 : 1;
      code += '"';
      i = end;
      continue;
    }
    code += c;
  }
  return { code, comment };
}
