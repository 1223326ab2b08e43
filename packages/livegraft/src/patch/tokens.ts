/** C source cut into tokens and directives, as far as questions about which text changed need it (C11 5.1.1.2, 6.4). */

export interface Token {
  readonly text: string;
  /** 1-based. */
  readonly line: number;
}

/** A preprocessing directive, or a token of what is between them. */
export type Item =
  | { readonly kind: 'token'; readonly token: Token }
  /** `#define F(x) …` → name `define`, tokens from `F` on; blanks and comments are gone, but for the mark of a function-like macro. */
  | {
      readonly kind: 'directive';
      readonly name: string;
      readonly tokens: readonly Token[];
      readonly line: number;
      /** For #define: true when `(` follows the name at once. */
      readonly functionLike: boolean;
    };

/** In this order: what ends a line, what joins lines, blanks, comments, literals, names, numbers, operators, anything else. */
const lexeme = new RegExp(
  [
    '(\\n)',
    '\\\\[ \\t\\r\\f\\v]*\\n',
    '[ \\t\\r\\f\\v]+',
    '//(?:\\\\\\r?\\n|[^\\n])*',
    '/\\*[^]*?(?:\\*/|$)',
    '("(?:\\\\[^]|[^"\\\\\\n])*(?:"|(?=\\n)|$))',
    "('(?:\\\\[^]|[^'\\\\\\n])*(?:'|(?=\\n)|$))",
    '([A-Za-z_$][\\w$]*)',
    '(\\.?\\d(?:[eEpP][+-]|[\\w.])*)',
    '(<<=|>>=|\\.\\.\\.|->|\\+\\+|--|<<|>>|<=|>=|==|!=|&&|\\|\\||##|[-+*/%&|^]=|[^])',
  ].join('|'),
  'y',
);

/** What is compiled out is there too, and nothing is expanded. Never throws. */
export function tokenize(text: string): readonly Item[] {
  const items: Item[] = [];
  let line = 1;
  let fresh = true;
  let directive: { line: number; tokens: Token[]; ends: number[] } | undefined;
  const finish = (): void => {
    if (directive === undefined) return;
    const [first, second, third] = directive.tokens;
    items.push({
      kind: 'directive',
      name: first?.text ?? '',
      tokens: directive.tokens.slice(1),
      line: directive.line,
      functionLike: second !== undefined && third?.text === '(' && directive.ends[1] === directive.ends[2]! - 1,
    });
    directive = undefined;
  };
  for (lexeme.lastIndex = 0; lexeme.lastIndex < text.length; ) {
    const match = lexeme.exec(text)!;
    const [whole, newline] = match;
    const start = line;
    for (let at = whole.indexOf('\n'); at >= 0; at = whole.indexOf('\n', at + 1)) line++;
    if (newline !== undefined) {
      finish();
      fresh = true;
      continue;
    }
    if (!match.slice(2).some((group) => group !== undefined)) continue;
    const token = { text: whole, line: start };
    if (directive !== undefined) {
      directive.tokens.push(token);
      directive.ends.push(lexeme.lastIndex);
    } else if (fresh && whole === '#') directive = { line: start, tokens: [], ends: [] };
    else items.push({ kind: 'token', token });
    fresh = false;
  }
  finish();
  return items;
}
