/**
 * The external declarations of a C file and its macros: what a changed line is part of. Names are found by shape, without types and
 * without expanding macros, so they are hints for explanations; nothing else may depend on them.
 */
import { type Token, tokenize } from './tokens.ts';

export interface Declaration {
  /** `other`: prototypes, #include, macros that declare something at file scope. */
  readonly kind: 'function' | 'variable' | 'macro' | 'type' | 'other';
  /** `struct foo` for types with a tag; empty when there is none. */
  readonly name: string;
  /** All names it declares or may declare: the functions of a SYSCALL_DEFINE, the constants of an enum. */
  readonly names: readonly string[];
  /** Its first line, 1-based. */
  readonly line: number;
  readonly tokens: readonly Token[];
}

/** In the order of the file. Both branches of an #if are there. */
export function declarationsOf(text: string): readonly Declaration[] {
  const found: Declaration[] = [];
  let tokens: Token[] = [];
  let depth = 0;
  let isBody = false;
  const outside: { depth: number; isBody: boolean }[] = [];
  const finish = (): void => {
    if (tokens.length > 0) found.push(classify(tokens, isBody));
    [tokens, depth, isBody] = [[], 0, false];
  };
  for (const item of tokenize(text)) {
    if (item.kind === 'directive') {
      if (item.name === 'define' && item.tokens.length > 0) found.push(macro(item.tokens));
      else if (/^if(n?def)?$/.test(item.name)) outside.push({ depth, isBody });
      // both branches begin where the first did: `#ifdef A / int f(x) { / #else / int f(y) { / #endif`
      else if (/^el/.test(item.name)) ({ depth, isBody } = outside.at(-1) ?? { depth, isBody });
      else if (item.name === 'endif') outside.pop();
      else if (item.name === 'include' && tokens.length === 0)
        found.push({ kind: 'other', name: '', names: [], line: item.line, tokens: item.tokens });
      continue;
    }
    const { token } = item;
    if (token.text === '{' && depth === 0) isBody = opensBody(tokens);
    tokens.push(token);
    if (token.text === '{' || token.text === '(' || token.text === '[') depth++;
    if (token.text === '}' || token.text === ')' || token.text === ']') depth = Math.max(0, depth - 1);
    if (depth === 0 && (token.text === ';' || (token.text === '}' && isBody))) finish();
  }
  finish();
  return found;
}

/** The identifiers in its text, the parameters of a macro and its own name left out. */
export function usesOf({ kind, name, tokens }: Declaration): ReadonlySet<string> {
  const [, open] = tokens;
  const end = kind === 'macro' && open?.text === '(' ? tokens.findIndex((token) => token.text === ')') : -1;
  const own = new Set([name, ...tokens.slice(0, end + 1).map((token) => token.text)]);
  const texts = kind === 'macro' ? tokens.slice(end + 1) : tokens;
  const names = texts.map((token) => token.text).filter((text) => /^[A-Za-z_$]/.test(text));
  const uses = new Set(kind === 'macro' ? names.filter((text) => !own.has(text)) : names);
  // `struct foo` is one name
  texts.forEach((token, i) => {
    const next = texts[i + 1];
    if (/^(struct|union|enum)$/.test(token.text) && next !== undefined) uses.add(`${token.text} ${next.text}`);
  });
  return uses;
}

function macro(tokens: readonly Token[]): Declaration {
  const [{ text: name, line }] = tokens as [Token, ...Token[]];
  return { kind: 'macro', name, names: [name], line, tokens };
}

/** True when a `{` behind these tokens begins the body of a function. */
function opensBody(tokens: readonly Token[]): boolean {
  const flat = outermost(tokens);
  if (flat.some((token) => token.text === '=')) return false;
  return flat.some((token) => token.text === ')') && !/^(struct|union|enum)$/.test(flat.at(-2)?.text ?? '');
}

/** The tokens outside of all brackets, the brackets themselves included. */
function outermost(tokens: readonly Token[]): readonly Token[] {
  const flat: Token[] = [];
  let depth = 0;
  for (const token of tokens) {
    if (/^[)\]}]$/.test(token.text)) depth = Math.max(0, depth - 1);
    if (depth === 0) flat.push(token);
    if (/^[([{]$/.test(token.text)) depth++;
  }
  return flat;
}

function classify(tokens: readonly Token[], isBody: boolean): Declaration {
  const { line } = tokens[0]!;
  const made = (kind: Declaration['kind'], name: string, names: readonly string[] = [name]): Declaration => ({
    kind,
    name,
    names: names.filter((each) => each !== ''),
    line,
    tokens,
  });
  if (isBody) {
    const head = tokens.slice(
      0,
      tokens.findIndex((token) => token.text === '{'),
    );
    const { name, names } = functionNames(head);
    return made('function', name, names);
  }
  const flat = outermost(tokens);
  const texts = flat.map((token) => token.text);
  if (texts[0] === 'typedef') {
    const pointer = tokens.findIndex((token, i) => token.text === '(' && tokens[i + 1]?.text === '*');
    const name = pointer >= 0 ? (tokens[pointer + 2]?.text ?? '') : (lastName(texts) ?? '');
    return made('type', name, [name, ...enumerators(tokens, texts)]);
  }
  const tag = texts.findIndex((text) => /^(struct|union|enum)$/.test(text));
  const brace = texts.indexOf('{');
  const equals = texts.indexOf('=');
  if (tag >= 0 && brace > tag && (equals < 0 || equals > brace)) {
    const named = brace > tag + 1 && /^\w/.test(texts[tag + 1]!) ? `${texts[tag]} ${texts[tag + 1]}` : '';
    return made('type', named, [named, ...enumerators(tokens, texts)]);
  }
  if (equals >= 0) return made('variable', lastName(texts.slice(0, equals)) ?? '');
  const call = texts.indexOf('(');
  if (call > 0) {
    // DEFINE_MUTEX(lock), module_param(x, …), or a prototype
    const first = tokens[tokens.findIndex((token) => token.text === '(') + 1]?.text ?? '';
    const declares = /^(DEFINE|DECLARE|LIST_HEAD|HLIST_HEAD)/.test(texts[call - 1]!);
    if (declares) return made('variable', lastName(argument(tokens, texts[call - 1]!)) ?? first);
    const before = texts[call - 1] ?? '';
    return made('other', call === 1 || before.toUpperCase() === before ? first : before);
  }
  // `struct foo;` only announces one
  const announces = texts[0] === 'extern' || (tag === 0 && texts.length <= 3) || texts.length <= 2;
  return made(announces ? 'other' : 'variable', lastName(texts) ?? '');
}

/** The argument of a defining macro that is the name: the last of DEFINE_PER_CPU(type, name), else the first. */
function argument(tokens: readonly Token[], defining: string): readonly string[] {
  const inner = tokens.slice(tokens.findIndex((token) => token.text === '(') + 1).map((token) => token.text);
  const whole = inner.slice(0, inner.lastIndexOf(')'));
  if (/PER_CPU/.test(defining)) return whole.slice(whole.lastIndexOf(',') + 1);
  const comma = whole.indexOf(',');
  return comma < 0 ? whole : whole.slice(0, comma);
}

function enumerators(tokens: readonly Token[], texts: readonly string[]): readonly string[] {
  if (!texts.includes('enum')) return [];
  const open = tokens.findIndex((token) => token.text === '{');
  const body = tokens.slice(open);
  return body.flatMap((token, i) =>
    i > 0 && /^[A-Za-z_]/.test(token.text) && /^[{,]$/.test(body[i - 1]!.text) ? [token.text] : [],
  );
}

/** The last identifier before the end, an array's bounds, or attributes. */
function lastName(texts: readonly string[]): string | undefined {
  const end = texts.findIndex((text) => text === '[' || text === ';' || text === '__attribute__');
  const names = (end < 0 ? texts : texts.slice(0, end)).filter((text) => /^[A-Za-z_$]/.test(text));
  return names.findLast(
    (name) =>
      !/^__(\w+_)?(initdata|ro_after_init|read_mostly|initconst|section|aligned|used|percpu|maybe_unused|cacheline\w*|randomize\w*)$/.test(
        name,
      ),
  );
}

const attributes =
  /^(__attribute__|__aligned|__section|__printf|__scanf|__acquires|__releases|__must_hold|__alloc_size|__no_sanitize|__assume_aligned|__diag\w*|__nonnull|__attribute_const__|__counted_by|__cond_lock|asm|__asm__)$/;

/** The function that this head defines, and the names that macros like SYSCALL_DEFINE make of it (include/linux/syscalls.h). */
function functionNames(head: readonly Token[]): { name: string; names: readonly string[] } {
  const flat = outermost(head).map((token) => token.text);
  const at = flat.findIndex((text, i) => flat[i + 1] === '(' && /^[A-Za-z_$]/.test(text) && !attributes.test(text));
  const name = flat[at] ?? '';
  if (!/^[A-Z][A-Z0-9_]*$/.test(name)) return { name, names: [name] };
  const first = head[head.findIndex((token, i) => token.text === name && head[i + 1]?.text === '(') + 2]?.text ?? '';
  if (/^COMPAT_SYSCALL_DEFINE/.test(name))
    return { name: `__do_compat_sys_${first}`, names: wrappers(first, 'compat_sys') };
  if (/^SYSCALL_DEFINE/.test(name)) return { name: `__do_sys_${first}`, names: wrappers(first, 'sys') };
  return { name: first, names: [first, `__${first}`, `____${first}`] };
}

function wrappers(name: string, infix: string): readonly string[] {
  return ['__do_', '__se_', '__x64_', '__ia32_'].map((prefix) => `${prefix}${infix}_${name}`);
}
