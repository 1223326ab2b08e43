/** `linux_banner`: what a kernel says of its release, compiler and linker (init/version.c, scripts/mkcompile_h). */

export interface Banner {
  /** The whole line. */
  readonly text: string;
  /** `uname -r`. */
  readonly release: string;
  /** First line of `CC --version`. */
  readonly compiler: string;
  /** First line of `ld --version`. */
  readonly linker: string;
  /** From `#` on: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-11-14)`. */
  readonly build: string;
}

/** Takes the line apart; undefined when it is no banner: `Linux version RELEASE (USER@HOST) (COMPILER, LINKER) #…`. */
export function parseBanner(line: string): Banner | undefined {
  const text = line.trimEnd();
  const head = /^Linux version (\S+) (?=\()/.exec(text);
  if (head === null) return undefined;
  const builder = group(text, head[0].length);
  if (builder === undefined || text[builder.end] !== ' ') return undefined;
  const tools = group(text, builder.end + 1);
  if (tools === undefined) return undefined;
  const comma = commaOutside(tools.inside);
  if (comma < 0) return undefined;
  return {
    text,
    release: head[1]!,
    compiler: tools.inside.slice(0, comma),
    linker: tools.inside.slice(comma + 2),
    build: text.slice(tools.end).trim(),
  };
}

/** The inside of the parentheses that open at `at`, inner ones included, and where they end. */
function group(text: string, at: number): { inside: string; end: number } | undefined {
  if (text[at] !== '(') return undefined;
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return { inside: text.slice(at + 1, i), end: i + 1 };
  }
  return undefined;
}

function commaOutside(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')') depth--;
    else if (depth === 0 && text.startsWith(', ', i)) return i;
  }
  return -1;
}
