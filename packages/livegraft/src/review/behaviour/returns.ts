/**
 * What a function may return, by its text: which conventions of the kernel it follows (Documentation/process/coding-style.rst, "Function
 * return values and names"; include/linux/err.h). A convention that the patch brings new may mean something else to callers that stay.
 */
import type { Declaration } from '../../patch/declarations.ts';
import type { Token } from '../../patch/tokens.ts';
import { callsAmong, written } from './calls.ts';
import type { Functions } from './sources.ts';

type Tokens = readonly Token[];

/** `pointer`: certainly neither NULL nor an error. `unknown`: could be any of the others. */
export type Kind = 'zero' | 'positive' | 'error' | 'null' | 'error-pointer' | 'pointer' | 'unknown';

export interface Returned {
  readonly kind: Kind;
  /** As written: `-EAGAIN`, `ERR_PTR(-ENOMEM)`. */
  readonly text: string;
  readonly line: number;
}

export interface Convention {
  readonly type: 'void' | 'bool' | 'unsigned' | 'number' | 'pointer';
  readonly returns: readonly Returned[];
}

/** Whether nothing it returns is beyond this analysis. */
export function isKnown({ returns }: Convention): boolean {
  return returns.every(({ kind }) => kind !== 'unknown');
}

const storage =
  /^(static|inline|extern|const|volatile|__always_inline|noinline|__must_check|__init|__exit|__cold|__hot|__maybe_unused|notrace|asmlinkage|noinline_for_stack|__used|__weak)$/;

function typeOf({ name, tokens }: Declaration): Convention['type'] | undefined {
  const at = tokens.findIndex(({ text }, i) => text === name && tokens[i + 1]?.text === '(');
  const words = tokens
    .slice(0, Math.max(at, 0))
    .map(({ text }) => text)
    .filter((text) => !storage.test(text));
  if (words.length === 0 || words.some((word) => /^[({]$/.test(word))) return undefined;
  if (words.includes('*')) return 'pointer';
  if (words.includes('void')) return 'void';
  if (words.includes('bool')) return 'bool';
  if (
    words.some((word) => /^(unsigned|u\d+|__u\d+|size_t|sector_t|dma_addr_t|phys_addr_t|__be\d+|__le\d+)$/.test(word))
  )
    return 'unsigned';
  return words.some((word) => /^(int|long|ssize_t|s\d+|loff_t|short|off_t)$/.test(word)) ? 'number' : undefined;
}

/** So many functions deep values are followed, and so many functions for one answer: files with circles of thousands exist. */
const deepest = 4;
const most = 64;

/** The conventions of a file's functions. */
export class Conventions {
  readonly #functions: Functions;
  readonly #known = new Map<string, Convention | undefined>();
  readonly #open: string[] = [];
  #looked = 0;

  constructor(functions: Functions) {
    this.#functions = functions;
  }

  /** Looks through `return other();` in the same file. Undefined where the head does not show a type, as with functions made by macros. */
  of(name: string): Convention | undefined {
    if (this.#known.has(name)) return this.#known.get(name);
    const declaration = this.#functions.get(name);
    const type = declaration === undefined ? undefined : typeOf(declaration);
    this.#looked = 0;
    const found = type === undefined ? undefined : { type, returns: type === 'void' ? [] : this.#returnsOf(name) };
    this.#known.set(name, found);
    return found;
  }

  #returnsOf(name: string): readonly Returned[] {
    const declaration = this.#functions.get(name)!;
    this.#open.push(name);
    this.#looked++;
    const { tokens } = declaration;
    const isPointer = typeOf(declaration) === 'pointer';
    const found = tokens.flatMap(({ text }, i) =>
      text === 'return' ? this.#values(until(tokens, i + 1), declaration, isPointer, []) : [],
    );
    this.#open.pop();
    // one of each is enough, or circles multiply them
    return [...new Map(found.map((each) => [`${each.kind} ${each.text}`, each])).values()];
  }

  #values(tokens: Tokens, owner: Declaration, isPointer: boolean, seen: readonly string[]): readonly Returned[] {
    const expression = plain(tokens);
    const [first] = expression;
    if (first === undefined) return [];
    const branches = choices(expression);
    if (branches !== undefined) return branches.flatMap((each) => this.#values(each, owner, isPointer, seen));
    const text = written(expression);
    const one = (kind: Kind): readonly Returned[] => [{ kind, text, line: first.line }];
    if (/^(0[xX]?0*[uUlL]*|false)$/.test(text)) return one(isPointer ? 'null' : 'zero');
    if (text === 'NULL') return one('null');
    if (/^-(E[A-Z0-9]+|\d+)$/.test(text)) return one('error');
    if (/^(0[xX][0-9a-fA-F]+|\d+)[uUlL]*$/.test(text) || text === 'true') return one('positive');
    const [call, ...more] = callsAmong(expression);
    if (call !== undefined && call.at === 0 && call.end === expression.length - 1) {
      if (/^(ERR_PTR|ERR_CAST)$/.test(call.name)) return one('error-pointer');
      if (/^(container_of|list_entry|rb_entry|hlist_entry|netdev_priv)$/.test(call.name)) return one('pointer');
      if (/^(k[mvz]*alloc\w*|kcalloc|kvcalloc|kmem_cache_z?alloc(_node)?|kstrn?dup|kmemdup)$/.test(call.name))
        return [...one('pointer'), { kind: 'null', text, line: first.line }];
      if (this.#open.includes(call.name)) return [];
      if (this.#functions.has(call.name) && this.#open.length < deepest && this.#looked < most) {
        // the place to look at is the call
        const inner = this.#returnsOf(call.name).map((each) => ({ ...each, line: first.line }));
        return inner.length === 0 ? one('unknown') : inner;
      }
      return one('unknown');
    }
    if (!isPointer && more.length === 0 && isTruth(expression)) return [...one('zero'), ...one('positive')];
    if (expression.length === 1 && /^[A-Za-z_]\w*$/.test(text)) {
      if (seen.includes(text)) return [];
      return this.#variable(text, owner, isPointer, [...seen, text]) ?? one('unknown');
    }
    return one(isPointer && first.text === '&' ? 'pointer' : 'unknown');
  }

  /** All that is assigned to a local variable; undefined where it gets values in other ways too. */
  #variable(
    name: string,
    owner: Declaration,
    isPointer: boolean,
    seen: readonly string[],
  ): readonly Returned[] | undefined {
    const { tokens } = owner;
    const body = tokens.findIndex(({ text }) => text === '{');
    // a parameter has its caller's value
    if (tokens.slice(0, body).some(({ text }) => text === name)) return undefined;
    const found: Returned[] = [];
    let assigned = false;
    for (let i = body + 1; i < tokens.length; i++) {
      if (tokens[i]!.text !== name) continue;
      const [before = '', behind = ''] = [tokens[i - 1]?.text, tokens[i + 1]?.text];
      if (before === '.' || before === '->') continue;
      if (before === '&' && /^[(,=]$/.test(tokens[i - 2]?.text ?? '')) return undefined;
      if (/^(\+\+|--)$/.test(before) || /^(\+\+|--|[-+*/%&|^]=|<<=|>>=)$/.test(behind)) return undefined;
      // list_for_each_entry(name, …) and such
      if (before === '(' && behind === ',' && /for_each/.test(tokens[i - 2]?.text ?? '')) return undefined;
      if (behind !== '=') continue;
      assigned = true;
      found.push(...this.#values(until(tokens, i + 2), owner, isPointer, seen));
    }
    return assigned ? found : undefined;
  }
}

/** Up to the end of an expression: `;`, or `,` and `)` that do not belong to it. */
function until(tokens: Tokens, from: number): Tokens {
  let depth = 0;
  let end = from;
  for (; end < tokens.length; end++) {
    const { text } = tokens[end]!;
    if (depth === 0 && /^[;,)\]}]$/.test(text)) break;
    if (/^[([{]$/.test(text)) depth++;
    else if (/^[)\]}]$/.test(text)) depth--;
  }
  return tokens.slice(from, end);
}

/** Without brackets around the whole and without casts in front. */
function plain(tokens: Tokens): Tokens {
  if (tokens[0]?.text !== '(') return tokens;
  const inner = until(tokens, 1);
  const behind = tokens.slice(inner.length + 2);
  if (behind.length === 0) return plain(inner);
  const isCast = inner.every(({ text }) => /^(\w+|\*)$/.test(text)) && /^[\w(-]/.test(behind[0]!.text);
  return isCast && (inner.length > 1 || /_t$|^[su]\d+$|^(int|long|bool)$/.test(inner[0]?.text ?? ''))
    ? plain(behind)
    : tokens;
}

/** Both values of `c ? a : b`; of `a ?: b` too. */
function choices(tokens: Tokens): readonly [Tokens, Tokens] | undefined {
  const outside = (text: string, from: number): number => {
    let depth = 0;
    for (let i = from; i < tokens.length; i++) {
      const now = tokens[i]!.text;
      if (depth === 0 && now === text) return i;
      if (/^[([{]$/.test(now)) depth++;
      else if (/^[)\]}]$/.test(now)) depth--;
    }
    return -1;
  };
  const question = outside('?', 0);
  const colon = question < 0 ? -1 : outside(':', question + 1);
  if (colon < 0) return undefined;
  const yes = colon === question + 1 ? tokens.slice(0, question) : tokens.slice(question + 1, colon);
  return [yes, tokens.slice(colon + 1)];
}

function isTruth(tokens: Tokens): boolean {
  if (tokens[0]?.text === '!' && tokens.every(({ text }) => /^(!|\w+|->|\.)$/.test(text))) return true;
  let depth = 0;
  for (const { text } of tokens) {
    if (depth === 0 && /^(==|!=|<|>|<=|>=|&&|\|\|)$/.test(text)) return true;
    if (/^[([{]$/.test(text)) depth++;
    else if (/^[)\]}]$/.test(text)) depth--;
  }
  return false;
}
