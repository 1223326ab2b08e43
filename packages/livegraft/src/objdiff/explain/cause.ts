/** Why a function is not as it was: a chain from the function back to what was changed, as data and as one sentence. */

export type Cause =
  /** The end of a chain: a changed line. `line` counts in the patched file; in the original one for what is gone. */
  | { readonly kind: 'source'; readonly file: string; readonly line: number; readonly gone?: true }
  /** The compiler put a copy of that function's body into this one. */
  | { readonly kind: 'inlined'; readonly name: string }
  /** The compiler made this function out of that one, or split it off. */
  | { readonly kind: 'clone'; readonly name: string }
  /** Its source names this macro, type, or variable, which is another one. */
  | { readonly kind: 'macro' | 'type' | 'variable'; readonly name: string }
  /** It refers to data that holds something else than before. */
  | { readonly kind: 'constant' | 'data'; readonly name: string }
  | { readonly kind: 'string'; readonly before: string; readonly after: string }
  /** It refers to something else than before. */
  | { readonly kind: 'reference'; readonly before: string; readonly after: string }
  /** It calls or refers to a function that changed and that ftrace cannot reach. */
  | { readonly kind: 'beyond-ftrace'; readonly name: string }
  /** The function itself changed, and ftrace cannot reach it. */
  | { readonly kind: 'unreachable' }
  /** The patch asks for it (LIVEGRAFT_INCLUDE). */
  | { readonly kind: 'forced'; readonly reason: string }
  /** A table says something else about its code. */
  | { readonly kind: 'table'; readonly table: string }
  | { readonly kind: 'section'; readonly before: string; readonly after: string }
  /** A new function: who refers to it, `f()` or a variable. */
  | { readonly kind: 'used-by'; readonly name: string }
  /** A part that the compiler split off comes or goes. */
  | { readonly kind: 'part'; readonly name: string; readonly comes: boolean }
  /**
   * Its code (or that of its part `f.cold`) differs from this byte on; `compiler`: and no changed line of source was found that
   * it depends on.
   */
  | { readonly kind: 'code' | 'compiler'; readonly offset: number; readonly part?: string };

/** One clause: `inlined ext4_mb_load_buddy(), which changed at fs/ext4/mballoc.c:1453`. Empty for an empty chain. */
export function sayCauses(causes: readonly Cause[]): string {
  const words: string[] = [];
  for (const [i, cause] of causes.entries()) {
    words.push(i === 0 ? sayFirst(cause) : `, which ${sayLater(cause)}`);
  }
  return words.join('');
}

/** Behind "which". */
function sayLater(cause: Cause): string {
  if (cause.kind === 'code') return 'changed';
  if (cause.kind === 'compiler')
    return 'comes out of the compiler with other code, though no changed line was found that it depends on';
  if (cause.kind !== 'source') return sayFirst(cause);
  return `${cause.gone === true ? 'was at' : 'changed at'} ${cause.file}:${cause.line}`;
}

function sayFirst(cause: Cause): string {
  switch (cause.kind) {
    case 'source':
      return cause.gone === true
        ? `gone from the source (${cause.file}:${cause.line} before)`
        : `changed in the source at ${cause.file}:${cause.line}`;
    case 'inlined':
      return `inlined ${cause.name}()`;
    case 'clone':
      return `is a clone of ${cause.name}()`;
    case 'macro':
      return `uses the macro ${cause.name}`;
    case 'type':
      return `uses ${cause.name}`;
    case 'variable':
      return `uses the variable ${cause.name}`;
    case 'constant':
      return `refers to the changed constant ${cause.name}`;
    case 'data':
      return `refers to ${cause.name}, which holds something else`;
    case 'string':
    case 'reference':
      return cause.before === cause.after
        ? `refers to another ${cause.after} than before`
        : `refers to ${cause.after} instead of ${cause.before}`;
    case 'beyond-ftrace':
      return `uses ${cause.name}(), out of reach for ftrace`;
    case 'unreachable':
      return 'changed, and ftrace cannot reach it: its callers are replaced';
    case 'forced':
      return `replaced because the patch asks for it: ${cause.reason}`;
    case 'table':
      return `has another entry in ${cause.table}`;
    case 'section':
      return `moves from ${cause.before} to ${cause.after}`;
    case 'used-by':
      return `used by ${cause.name}`;
    case 'part':
      return `${cause.comes ? 'gains' : 'loses'} the part ${cause.name}`;
    case 'code':
      return `its code differs from ${place(cause)} on`;
    case 'compiler':
      return `the compiler made other code of it, from ${place(cause)} on; no changed line was found that it depends on`;
  }
}

function place({ part = '', offset }: { readonly part?: string; readonly offset: number }): string {
  return `${part}+0x${offset.toString(16)}`;
}
