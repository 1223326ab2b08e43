/** File names in patch headers: git's C-quoting, time stamps after a tab, `-p1`, and the refusal of names that leave the tree. */
import { showBytes } from './text.ts';

/** PATH_MAX of Linux: longer names are no files. */
const longest = 4096;

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  t: '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
};

/**
 * Reads a C-quoted name (git's quote.c) at the start of a byte string.
 * @returns the name and where the text goes on after the closing quote; undefined when the quoting is broken
 */
export function unquote(text: string): { name: string; end: number } | undefined {
  if (text[0] !== '"') return undefined;
  let name = '';
  for (let i = 1; i < text.length && i < 4 * longest; i++) {
    const c = text[i]!;
    if (c === '"') return { name, end: i + 1 };
    if (c !== '\\') {
      name += c;
      continue;
    }
    const next = text[++i] ?? '';
    const octal = /^[0-3][0-7]{2}/.exec(text.slice(i, i + 3));
    if (octal !== null) {
      name += String.fromCharCode(Number.parseInt(octal[0], 8));
      i += 2;
    } else if (escapes[next] !== undefined) name += escapes[next];
    else return undefined;
  }
  return undefined;
}

/** The name after `--- ` or `+++ `: quoted, or up to the tab before a time stamp. `epoch`: the stamp says "no file" (diff -N). */
export function headerName(text: string): { name: string; epoch: boolean } | undefined {
  if (text.startsWith('"')) {
    const quoted = unquote(text);
    return quoted && { name: quoted.name, epoch: false };
  }
  const tab = text.indexOf('\t');
  const stamp = tab < 0 ? '' : text.slice(tab + 1);
  const name = tab < 0 ? text.replace(/ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4})?$/, '') : text.slice(0, tab);
  return { name: name.replace(/\r$/, ''), epoch: /^(1970-01-01|1969-12-31) /.test(stamp) };
}

/** Both names of a `diff --git` line when they can be told apart: quoted, or equal after the first folder. */
export function gitNames(text: string): { old: string; new: string } | undefined {
  if (text.startsWith('"')) {
    const first = unquote(text);
    if (first === undefined || text[first.end] !== ' ') return undefined;
    const rest = text.slice(first.end + 1);
    const second = rest.startsWith('"') ? unquote(rest)?.name : rest;
    return second === undefined ? undefined : { old: first.name, new: second };
  }
  if (text.endsWith('"')) {
    const at = text.indexOf(' "');
    const second = at < 0 ? undefined : unquote(text.slice(at + 1));
    return second === undefined ? undefined : { old: text.slice(0, at), new: second.name };
  }
  if (text.length > 2 * longest + 1) return undefined;
  for (let at = text.indexOf(' '); at >= 0; at = text.indexOf(' ', at + 1)) {
    const one = text.slice(0, at);
    const two = text.slice(at + 1);
    if (stripFirst(one) !== undefined && stripFirst(one) === stripFirst(two)) return { old: one, new: two };
  }
  return undefined;
}

/** `a/fs/x.c` → `fs/x.c`; undefined when there is no first folder. */
export function stripFirst(name: string): string | undefined {
  const slash = name.indexOf('/');
  return slash <= 0 || slash === name.length - 1 ? undefined : name.slice(slash + 1);
}

/** Why a path (after -p1) may not be used, in words that follow "which"; undefined when it is well. */
export function pathProblem(path: string): string | undefined {
  if (path.length > longest) return `is longer than ${longest} bytes`;
  if (path.startsWith('/')) return 'is an absolute path';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  if (/[\x00-\x1f\x7f]/.test(path)) return 'has control characters';
  const parts = path.split('/');
  if (parts.includes('..')) return 'leaves the source tree by `..`';
  if (parts.includes('') || parts.includes('.')) return 'has an empty or `.` component';
  if (parts.some((part) => part.toLowerCase() === '.git')) return 'is inside a git folder';
  return undefined;
}

export function showPath(path: string): string {
  const shown = showBytes(path);
  return shown.length > 200 ? `${shown.slice(0, 200)} …` : shown;
}
