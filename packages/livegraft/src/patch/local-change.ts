/**
 * Whether a change to a header can matter only to code that mentions certain names, and which. That is so where all that changes are
 * macros, static inline functions and prototypes: each is gone, new or other, and everything between them is what it was. Asked so that
 * a change to a widely included header need not be preprocessed with every unit; where the answer is not certain there is none.
 */
import { type Item, tokenize } from './tokens.ts';

/** A directive, or one external declaration; both as one line of text. */
interface Chunk {
  readonly text: string;
  /** What it declares; undefined when more than a name depends on it. */
  readonly name: string | undefined;
  /** What stands before the body of a function. */
  readonly head: string;
  /** Whether the head has nothing but what is known not to make the function live on its own. */
  readonly plain: boolean;
}

/** @returns the names; empty when only comments and white space change; undefined when the change may matter to anybody */
export function localChange(original: string, patched: string): ReadonlySet<string> | undefined {
  const before = chunksOf(original);
  const after = chunksOf(patched);
  if (before === undefined || after === undefined) return undefined;
  const { removed, added } = difference(before, after);
  const names = new Set<string>();
  for (const chunk of [...removed, ...added]) {
    if (chunk.name === undefined) return undefined;
    names.add(chunk.name);
  }
  // an attribute in a new head could keep the function alive: that is known only of heads that were there
  const heads = new Set(removed.map(({ head }) => head));
  return added.every(({ plain, head }) => plain || heads.has(head)) ? names : undefined;
}

/** Words that a declaration may have besides types of known shape. */
const plainWords = new Set(
  'static inline __always_inline __inline __inline__ extern const volatile struct union enum unsigned signed void char short int long bool size_t ssize_t u8 u16 u32 u64 s8 s16 s32 s64 gfp_t __must_check __user __iomem __rcu __percpu __u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64 __le16 __le32 __le64 __be16 __be32 __be64'.split(
    ' ',
  ),
);

function chunksOf(text: string): Chunk[] | undefined {
  const chunks: Chunk[] = [];
  let parts: string[] = [];
  let depth = 0;
  let body: number | undefined;
  /** Bracket depths at the #if directives inside the present declaration. */
  let conditions: number[] = [];
  for (const item of tokenize(text)) {
    if (item.kind === 'directive') {
      if (parts.length === 0) {
        chunks.push(directive(item));
        continue;
      }
      // branches of one declaration: only where each has its brackets in pairs
      if (/^if(n?def)?$/.test(item.name)) conditions.push(depth);
      else if (/^(el\w+|endif)$/.test(item.name)) {
        if (conditions.at(-1) !== depth) return undefined;
        if (item.name === 'endif') conditions.pop();
      } else return undefined;
      parts.push(`\n#${item.name} ${item.tokens.map((token) => token.text).join(' ')}\n`);
      continue;
    }
    const { text: token } = item.token;
    if (token === '{' && depth === 0 && parts.at(-1) === ')' && !parts.includes('=')) body = parts.length;
    parts.push(token);
    if (token === '(' || token === '[' || token === '{') depth++;
    else if (token === ')' || token === ']' || token === '}') depth--;
    if (depth < 0) return undefined;
    if (depth > 0 || !(token === ';' || (token === '}' && body !== undefined))) continue;
    if (conditions.length > 0) return undefined;
    chunks.push(declaration(parts, body));
    [parts, body, conditions] = [[], undefined, []];
  }
  return parts.length === 0 ? chunks : undefined;
}

function directive({ name, tokens, functionLike }: Extract<Item, { kind: 'directive' }>): Chunk {
  const words = tokens.map((token) => token.text);
  const defines = name === 'define' || name === 'undef';
  const macro = defines && words[0] !== undefined && !plainWords.has(words[0]) ? words[0] : undefined;
  return { text: `#${name} ${functionLike ? 'f' : ''} ${words.join(' ')}`, name: macro, head: '', plain: true };
}

/** A static inline function, or a prototype; of anything else no name is told. */
function declaration(parts: readonly string[], body: number | undefined): Chunk {
  const text = parts.join(' ');
  const head = parts.slice(0, body ?? -1);
  const open = head.indexOf('(');
  const name = head[open - 1] ?? '';
  const before = head.slice(0, Math.max(0, open - 1));
  const inline = before.includes('static') && before.some((word) => /^(__always_|__)?inline(__)?$/.test(word));
  const one = open > 1 && closes(head, open) === head.length - 1 && !head.includes('\n');
  // a name in capitals is a macro's, and what that makes is not known
  const named = one && /[a-z]/.test(name) && /^[A-Za-z_]\w*$/.test(name) && !plainWords.has(name);
  const known = named && (body === undefined ? !before.includes('static') && !text.includes('#') : inline);
  const plain = before.every(
    (word, i) => plainWords.has(word) || word === '*' || /^(struct|union|enum)$/.test(before[i - 1] ?? ''),
  );
  return {
    text,
    name: known ? name : undefined,
    head: head.join(' '),
    plain: plain && (body !== undefined || before.length > 0),
  };
}

/** Where the bracket at `open` is closed. */
function closes(words: readonly string[], open: number): number {
  let depth = 0;
  for (let i = open; i < words.length; i++) {
    if (words[i] === '(') depth++;
    else if (words[i] === ')' && --depth === 0) return i;
  }
  return -1;
}

/** What a longest common subsequence leaves over. */
function difference(before: readonly Chunk[], after: readonly Chunk[]): { removed: Chunk[]; added: Chunk[] } {
  let start = 0;
  while (start < before.length && start < after.length && before[start]!.text === after[start]!.text) start++;
  let [i, j] = [before.length, after.length];
  while (i > start && j > start && before[i - 1]!.text === after[j - 1]!.text) [i, j] = [i - 1, j - 1];
  const [a, b] = [before.slice(start, i), after.slice(start, j)];
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let x = a.length - 1; x >= 0; x--) {
    for (let y = b.length - 1; y >= 0; y--) {
      lengths[x * width + y] =
        a[x]!.text === b[y]!.text
          ? lengths[(x + 1) * width + y + 1]! + 1
          : Math.max(lengths[(x + 1) * width + y]!, lengths[x * width + y + 1]!);
    }
  }
  const removed: Chunk[] = [];
  const added: Chunk[] = [];
  for (let x = 0, y = 0; x < a.length || y < b.length; ) {
    if (x < a.length && y < b.length && a[x]!.text === b[y]!.text) [x, y] = [x + 1, y + 1];
    else if (y >= b.length || (x < a.length && lengths[(x + 1) * width + y]! >= lengths[x * width + y + 1]!))
      removed.push(a[x++]!);
    else added.push(b[y++]!);
  }
  return { removed, added };
}
