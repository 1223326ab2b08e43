/**
 * Constants (`#define NAME value`) that a patch changes while something keeps the old value: objects that were made with it, code that is not
 * replaced, programs. Found in the text. What only counts and compares in code that is replaced goes over with that code.
 */
import type { Diagnostic, Spot } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-types.ts';
import type { PatchedFile } from '../../patch/apply.ts';
import { type Declaration, declarationsOf } from '../../patch/declarations.ts';
import { type Token, tokenize } from '../../patch/tokens.ts';
import { constantValue } from './constant-value.ts';

export interface ConstantText extends Pick<PatchedFile, 'path' | 'original' | 'patched'> {
  /** Names of its functions whose change LIVEGRAFT_IGNORE leaves out. */
  readonly ignored?: ReadonlySet<string>;
}

interface ChangedConstant {
  readonly name: string;
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/**
 * @param files that the patch changes
 * @param units .c files that come along with a changed header
 */
export function constantFindings(files: readonly ConstantText[], units: readonly ConstantText[]): Diagnostic[] {
  const sources = files.filter(({ path }) => /\.[ch]$/.test(path));
  return sources.flatMap(changedConstants).flatMap((changed): Diagnostic[] => {
    // what another .c file calls by the name is another constant
    const reached = changed.file.endsWith('.h')
      ? [...sources, ...units]
      : sources.filter(({ path }) => path === changed.file);
    const uses = reached.map((text) => usesIn(text, changed));
    const keepers = uses.flatMap((each) => each.keepers);
    const users = uses.flatMap((each) => each.functions);
    // a value that nobody else compares with or counts to may be what it was
    const keeping = keepers.filter(
      (keeper) => keeper.alone || users.some((name) => !keepers.some((each) => each.function === name)),
    );
    const outside = changed.file.includes('/uapi/') ? [programs(changed)] : [];
    const spots = [...keeping.map(({ spot }) => spot), ...outside];
    if (spots.length === 0) return [];
    return [say.constantChanged({ ...changed, functions: [...new Set(keeping.map((each) => each.function))], spots })];
  });
}

/** Constants of both sides whose value is another. */
export function changedConstants({ path, original, patched }: ConstantText): ChangedConstant[] {
  const [old, fresh] = [macrosOf(original), macrosOf(patched)];
  return [...old].flatMap(([name, was]): ChangedConstant[] => {
    const now = fresh.get(name);
    // each branch of an #if may have its own
    if (now === undefined || now.length !== was.length) return [];
    const at = was.findIndex((body, i) => body.join(' ') !== now[i]!.join(' '));
    if (at < 0 || !isConstant(was[at]!) || !isConstant(now[at]!)) return [];
    const only = (macros: Macros) => (word: string) =>
      macros.get(word)?.length === 1 ? macros.get(word)![0] : undefined;
    const [a, b] = [constantValue(was[at]!, only(old)), constantValue(now[at]!, only(fresh))];
    if (a !== undefined && a === b) return [];
    return [{ name, file: path, before: shown(was[at]!, a), after: shown(now[at]!, b) }];
  });
}

type Macros = ReadonlyMap<string, readonly (readonly string[])[]>;

/** Bodies of macros without parameters, by name. */
function macrosOf(text: string): Macros {
  const found = new Map<string, string[][]>();
  for (const item of tokenize(text)) {
    if (item.kind !== 'directive' || item.name !== 'define' || item.functionLike) continue;
    const [name, ...body] = item.tokens.map((token) => token.text);
    if (name !== undefined && body.length > 0) found.set(name, [...(found.get(name) ?? []), body]);
  }
  return found;
}

/** Made of literals, operators, types and names of constants. */
function isConstant(body: readonly string[]): boolean {
  const type = /^(sizeof|unsigned|signed|long|int|short|char|struct|union|[a-z_]\w*_t|(__)?[us](8|16|32|64))$/;
  const tagged = (i: number): boolean => /^(struct|union)$/.test(body[i - 1] ?? '');
  return body.every(
    (word, i) => !/^[A-Za-z_$]/.test(word) || /^[A-Z_][A-Z0-9_]*$/.test(word) || type.test(word) || tagged(i),
  );
}

/** `(1 << 4), 16`: the value too, unless it stands there. */
function shown(body: readonly string[], value: bigint | undefined): string {
  const text = body.join(' ').replace(/(?<=\() | (?=\))|(?<=sizeof) (?=\()/g, '');
  return value === undefined || (/^\w+$/.test(text) && /^\d/.test(text)) ? text : `${text} (${value})`;
}

interface Keeper {
  readonly function: string;
  readonly spot: Spot;
  /** Whether it matters though no other function uses the constant. */
  readonly alone: boolean;
}

interface Uses {
  readonly functions: readonly string[];
  /** Where the old value stays. */
  readonly keepers: readonly Keeper[];
}

/** What one file does with a constant. */
function usesIn({ path: file, original, ignored }: ConstantText, { name }: ChangedConstant): Uses {
  const declarations = declarationsOf(original);
  const names = standingFor(name, declarations);
  const using = declarations.filter(
    ({ kind, tokens }) => kind !== 'macro' && tokens.some(({ text }) => names.has(text)),
  );
  const keepers = using.flatMap((declaration): Keeper[] => {
    const { tokens, kind } = declaration;
    const keeper = (at: number, what: string, alone = false): Keeper => ({
      function: declaration.name,
      spot: { file, line: tokens[at]!.line, side: 'original', what },
      alone,
    });
    const places = tokens.flatMap(({ text }, i) => (names.has(text) ? [i] : []));
    const [first] = places as [number, ...number[]];
    if (kind !== 'function') {
      const size = places.find((at) => enclosing(tokens, at).some(({ text }) => text === '['));
      if (size !== undefined) return [keeper(size, `${declaration.name} has its size by it`, true)];
      return kind === 'variable' ? [keeper(first, `${declaration.name} begins with it`)] : [];
    }
    const head = tokens.slice(
      0,
      tokens.findIndex(({ text }) => text === '{'),
    );
    if (head.some(({ text }) => text === '__init')) return [keeper(first, `${declaration.name}() used it at start-up`)];
    if (ignored?.has(declaration.name) === true)
      return [keeper(first, `${declaration.name}() stays as it is (LIVEGRAFT_IGNORE)`, true)];
    return places.flatMap((at) => {
      const call = makerAround(tokens, at);
      if (call !== undefined) return [keeper(at, `${declaration.name}() makes objects by it: ${call}()`)];
      const field = storedIn(tokens, at);
      return field === undefined ? [] : [keeper(at, `${declaration.name}() stores it in ${field}`)];
    });
  });
  return { functions: using.flatMap((each) => (each.kind === 'function' ? [each.name] : [])), keepers };
}

/** The constant, and macros of the file that are made of it. */
function standingFor(name: string, declarations: readonly Declaration[]): ReadonlySet<string> {
  const names = new Set([name]);
  const macros = declarations.filter(({ kind }) => kind === 'macro');
  for (const known of names)
    for (const { name: other, tokens } of macros)
      if (tokens.slice(1).some(({ text }) => text === known)) names.add(other);
  return names;
}

/** What makes something that lasts: memory, caches, tables, queues. */
const makes = /alloc|_new$|kmem_cache_create|mempool_create|_init_table|create_(proc|workqueue)|kmemdup|register_/;

function makerAround(tokens: readonly Token[], at: number): string | undefined {
  const around = enclosing(tokens, at);
  const calls = around.filter(({ text }) => text === '(').map((open) => tokens[tokens.indexOf(open) - 1]?.text ?? '');
  return calls.find((name) => makes.test(name));
}

/** Brackets that are open at a token of a function, from the inside out. */
function enclosing(tokens: readonly Token[], at: number): Token[] {
  const found: Token[] = [];
  let closed = 0;
  for (let i = at - 1; i >= 0; i--) {
    const { text } = tokens[i]!;
    if (/^[)\]}]$/.test(text)) closed++;
    else if (/^[([{]$/.test(text) && closed-- === 0) {
      closed = 0;
      found.push(tokens[i]!);
    }
  }
  return found;
}

/** The field that an assignment around the token sets: `x->n = NAME;`. A comparison on the way makes it another value. */
function storedIn(tokens: readonly Token[], at: number): string | undefined {
  const isEnd = ({ text }: Token): boolean => /^[;{}]$/.test(text);
  const from = tokens.findLastIndex((token, i) => i < at && isEnd(token)) + 1;
  const to = tokens.findIndex((token, i) => i > at && isEnd(token));
  const statement = tokens.slice(from, to < 0 ? tokens.length : to);
  const equals = statement.findLastIndex(({ text }, i) => from + i < at && /^[|+]?=$/.test(text));
  if (equals < 1 || statement.slice(equals).some(({ text }) => /^([<>=!]=|[<>?]|&&|\|\|)$/.test(text)))
    return undefined;
  const [access, member] = [statement[equals - 2]?.text ?? '', statement[equals - 1]!.text];
  return /^(->|\.)$/.test(access) && /^\w+$/.test(member) ? member : undefined;
}

function programs({ file, name }: ChangedConstant): Spot {
  return { file, line: 1, side: 'original', what: `programs are compiled with ${name}` };
}
