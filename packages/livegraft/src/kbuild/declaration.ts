/** One external declaration of preprocessed C: which names it declares, and whether it makes code or data by itself. */

export interface DeclarationFacts {
  /** Functions, variables, types, tags, enumerators; rather too many than too few. */
  readonly names: readonly string[];
  /** Whether it counts without being mentioned: definitions that others can see, and all that is out of the ordinary. */
  readonly wanted: boolean;
  /** All words in it, those in strings too: inline assembly and aliases name symbols there. */
  mentions(): readonly string[];
}

const keywords = new Set(
  'auto break case char const continue default do double else enum extern float for goto if inline int long register return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Complex _Alignof _Noreturn _Thread_local __inline __inline__ __signed__ __volatile__ __const __extension__ __restrict __int128 __auto_type __thread'.split(
    ' ',
  ),
);
const attributeWords = new Set(['__attribute__', '__attribute']);
const assemblyWords = new Set(['asm', '__asm__', '__asm']);
const operatorWords = new Set(['typeof', '__typeof__', '__typeof', '_Alignas', '_Static_assert']);

/** Attributes by which a static definition does not live on its own account. */
const harmless = new Set(
  'unused maybe_unused gnu_inline no_instrument_function always_inline noinline cold hot pure const malloc warn_unused_result format nonnull noreturn aligned packed alloc_size assume_aligned no_sanitize no_sanitize_address no_sanitize_undefined no_stack_protector error warning may_alias mode deprecated artificial noclone copy no_profile_instrument_function optimize target transparent_union designated_init returns_nonnull leaf nothrow indirect_branch function_return access nonstring flatten noipa'.split(
    ' ',
  ),
);
/** Attributes by which even a declaration makes something. */
const making = new Set('alias ifunc weakref symver used retain constructor destructor'.split(' '));

interface Token {
  readonly text: string;
  /** For an opening bracket: the tokens up to its end. */
  readonly inside?: readonly Token[];
}

/**
 * @param head the declaration up to the body of a function, or the whole of it
 * @param body the body of a function definition, or nothing
 */
export function readDeclaration(head: string, body: string): DeclarationFacts {
  const tokens = group(head);
  const attributes = tokens.flatMap((token, i) =>
    attributeWords.has(token.text) ? attributeNames(tokens[i + 1]) : [],
  );
  const top = tokens.filter((_, i) => !isAttribute(tokens, i));
  const words = new Set(top.map((token) => token.text));
  const names = [...new Set([...declarators(tokens), ...tags(tokens)])];
  return { names, wanted: isWanted(), mentions: remember(() => wordsOf(head + body)) };

  function isWanted(): boolean {
    if (top[0]?.text.startsWith('#') === true || top.some(({ text }) => assemblyWords.has(text))) return true;
    if (attributes.some((name) => making.has(name))) return true;
    if (words.has('typedef') || top[0]?.text === '_Static_assert') return false;
    if (words.has('static')) return attributes.some((name) => !harmless.has(name));
    if (body !== '') return true;
    const initialized = words.has('=');
    if (words.has('extern') && !initialized) return false;
    if (initialized || words.has(',') || names.length === 0) return true;
    return !(isTypeOnly(top) || isPrototype(top));
  }
}

/** `struct x;`, `struct x { … };` and nothing declared with it. */
function isTypeOnly(top: readonly Token[]): boolean {
  if (!/^(struct|union|enum)$/.test(top[0]?.text ?? '')) return false;
  const rest = top.slice(1).filter(({ text }) => text !== ';');
  return (
    rest.length <= 2 &&
    rest.every(({ text }, i) => (i === rest.length - 1 && text === '{') || (i === 0 && text !== '{'))
  );
}

/** `type name(…);`: the first parenthesis follows a name and does not hold a declarator. */
function isPrototype(top: readonly Token[]): boolean {
  const at = top.findIndex(({ text }, i) => text === '(' && !operatorWords.has(top[i - 1]?.text ?? ''));
  const before = top[at - 1]?.text ?? '';
  const inner = top[at]?.inside?.[0]?.text ?? '';
  return (
    at > 0 &&
    /^[A-Za-z_$]/.test(before) &&
    !keywords.has(before) &&
    inner !== '*' &&
    inner !== '(' &&
    top[at + 1]?.text === ';'
  );
}

/** The attribute words and their arguments. */
function isAttribute(tokens: readonly Token[], i: number): boolean {
  return (
    attributeWords.has(tokens[i]!.text) || (tokens[i]!.text === '(' && attributeWords.has(tokens[i - 1]?.text ?? ''))
  );
}

/** The names in `((unused, section(".x")))`, without the underscores that may surround them. */
function attributeNames(group: Token | undefined): string[] {
  const list = group?.inside?.[0]?.inside ?? [];
  return list.flatMap(({ text }) => (/^[A-Za-z_]/.test(text) ? [text.replace(/^__(.*)__$/, '$1')] : []));
}

/** A word is declared where something follows that can follow a declarator, or inside parentheses that hold one. */
function declarators(tokens: readonly Token[]): string[] {
  const found: string[] = [];
  for (const [i, { text, inside }] of tokens.entries()) {
    const next = tokens[i + 1]?.text;
    if (isAttribute(tokens, i)) continue;
    if (text === '(' && inside !== undefined) {
      if (operatorWords.has(tokens[i - 1]?.text ?? '') || assemblyWords.has(tokens[i - 1]?.text ?? '')) continue;
      const first = inside[0]?.text;
      if (first === '*' || first === '(' || next === '(') found.push(...flatten(inside));
    } else if (
      /^[A-Za-z_$]/.test(text) &&
      !keywords.has(text) &&
      !operatorWords.has(text) &&
      !assemblyWords.has(text)
    ) {
      if (next === undefined || /^[=,;([:]$/.test(next) || attributeWords.has(next) || assemblyWords.has(next))
        found.push(text);
    }
  }
  return found;
}

/** Tags of types that are defined here, at any depth, and all words in the braces of an enum. */
function tags(tokens: readonly Token[]): string[] {
  return tokens.flatMap(({ inside }, i) => {
    if (inside === undefined) return [];
    if (tokens[i]!.text !== '{') return tags(inside);
    const before = tokens.slice(0, i).filter((_, at) => !isAttribute(tokens, at));
    const [keyword, tag] = [before.at(-2)?.text ?? '', before.at(-1)?.text ?? ''];
    const named = /^(struct|union|enum)$/.test(keyword) ? [tag] : [];
    return [...named, ...(keyword === 'enum' || tag === 'enum' ? flatten(inside) : tags(inside))];
  });
}

function flatten(tokens: readonly Token[]): string[] {
  return tokens.flatMap(({ text, inside }) =>
    inside !== undefined ? flatten(inside) : /^[A-Za-z_$]/.test(text) && !keywords.has(text) ? [text] : [],
  );
}

/** Tokens outside brackets, each bracket with what is inside. */
function group(text: string): Token[] {
  const root: Token[] = [];
  const stack = [root];
  for (const [token] of text.matchAll(
    /[A-Za-z_$][\w$]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\d[\w.]*|^[ \t]*#.*$|\S/gm,
  )) {
    if (token === '(' || token === '[' || token === '{') {
      const inside: Token[] = [];
      stack.at(-1)!.push({ text: token, inside });
      stack.push(inside);
    } else if (token === ')' || token === ']' || token === '}') {
      if (stack.length > 1) stack.pop();
    } else stack.at(-1)!.push({ text: token.trimStart() });
  }
  return root;
}

function wordsOf(text: string): string[] {
  return [...new Set(text.match(/[A-Za-z_$][\w$]*/g) ?? [])].filter((word) => !keywords.has(word));
}

function remember<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
