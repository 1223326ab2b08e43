/** Flags and states that the patch brings and stores in objects: old code does not know them, and a revert leaves them there. */
import type { Diagnostic, Spot } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-behaviour.ts';
import type { Declaration } from '../../patch/declarations.ts';
import type { Token } from '../../patch/tokens.ts';
import { type Call, callsIn, written } from './calls.ts';
import type { ChangedSource, Functions } from './sources.ts';

export interface NewFlag {
  readonly name: string;
  /** Where it is defined. */
  readonly file: string;
  readonly line: number;
}

export interface FlagUse {
  readonly function: string;
  readonly line: number;
  /** `sets`: `x->flags |= F`, `set_bit(F, &x->flags)`, `x->state = F`. */
  readonly how: 'sets' | 'asks';
  /** The field as written; only where it is set. */
  readonly field?: string;
}

/** Constants that only the patched text defines. */
export function newFlags({ file, original, patched }: ChangedSource): NewFlag[] {
  const known = new Set(original.flatMap((each) => constantsOf(each).map(({ name }) => name)));
  return patched.flatMap((each) =>
    constantsOf(each)
      .filter(({ name }) => !known.has(name))
      .map((found) => ({ ...found, file })),
  );
}

function constantsOf({ kind, name, names, tokens, line }: Declaration): { name: string; line: number }[] {
  if (kind === 'macro') {
    const value = tokens.slice(1);
    const isNumber = value.length > 0 && value.every(({ text }) => /^([()]|<<|[A-Z_]*BIT(_ULL)?|\d\w*)$/.test(text));
    return isNumber ? [{ name, line }] : [];
  }
  if (kind !== 'type' || !tokens.some(({ text }) => text === 'enum')) return [];
  return names
    .filter((each) => each !== name)
    .map((each) => ({ name: each, line: tokens.find(({ text }) => text === each)?.line ?? line }));
}

/** In functions that change or are new. */
export function usesOfFlag({ name }: Pick<NewFlag, 'name'>, after: Functions, staying: Functions): FlagUse[] {
  return [...after.values()].flatMap((owner) => (staying.has(owner.name) ? [] : usesIn(owner, name)));
}

/** `set_bit(F, &x->flags)`, `WRITE_ONCE(x->state, F)`, `hci_dev_set_flag(hdev, F)`. */
const setters =
  /(^|_)set_(bit|flag|state)s?(_|$)|^atomic(_long|64)?_(or|set)$|^(WRITE_ONCE|smp_store_release|cmpxchg|xchg)$/;

function usesIn(owner: Declaration, flag: string): FlagUse[] {
  const { tokens } = owner;
  const calls = callsIn(owner);
  return tokens.flatMap(({ text, line }, i): FlagUse[] => {
    if (text !== flag) return [];
    const set = calls.find(({ name, at, end }) => setters.test(name) && at < i && i < end);
    const field = set === undefined ? assignedBefore(tokens, i) : storedBy(set, flag);
    if (field === undefined || !isKept(field, owner)) return [{ function: owner.name, line, how: 'asks' }];
    return [{ function: owner.name, line, how: 'sets', field: field.replace(/^&/, '') }];
  });
}

/** The other argument, when the flag is one of its own and no index or condition. */
function storedBy({ arguments: words }: Call, flag: string): string | undefined {
  const alone = new RegExp(`^[(]*(\\w+\\|)*${flag}(\\|\\w+)*[)]*$`);
  if (!words.some((each) => alone.test(each))) return undefined;
  const others = words.filter((each) => !each.includes(flag));
  return others.find((each) => /->|\./.test(each)) ?? others[0];
}

/** `x->flags` of the statement `x->flags |= A | FLAG`; undefined where the value is compared, or only kept in a variable. */
function assignedBefore(tokens: readonly Token[], at: number): string | undefined {
  for (let i = at - 1; i > 0; i--) {
    const { text } = tokens[i]!;
    if (
      /^(\||\(|\w+|<<|\?|:)$/.test(text) &&
      !/^(return|case|if|while|else)$/.test(text) &&
      tokens[i - 1]!.text !== ';'
    ) {
      // `f(FLAG)` is another function’s to judge
      if (text === '(' && /^\w+$/.test(tokens[i - 1]!.text)) return undefined;
      continue;
    }
    if (text !== '=' && text !== '|=') return undefined;
    let from = i;
    let depth = 0;
    for (; from > 0; from--) {
      const before = tokens[from - 1]!.text;
      if (/^[)\]]$/.test(before)) depth++;
      else if (/^[([]$/.test(before) && depth-- === 0) break;
      else if (depth === 0 && /^[;{},!=:]$/.test(before)) break;
    }
    const field = written(tokens.slice(from, i))
      .replace(/^.*\)(?=\w)/, '')
      .replace(/^(else|do)\b ?/, '');
    return /->|\./.test(field) ? field : undefined;
  }
  return undefined;
}

/** A member of what outlives the call: not of a structure that is a local variable. */
function isKept(field: string, { tokens }: Declaration): boolean {
  const base = /^[&*(]*(\w+)\./.exec(field)?.[1];
  if (base === undefined) return true;
  const body = tokens.findIndex(({ text }) => text === '{');
  return !tokens.some(
    ({ text }, i) =>
      i > body && text === base && /^\w+$/.test(tokens[i - 1]!.text) && /^[;,=]$/.test(tokens[i + 1]?.text ?? ''),
  );
}

/** One finding a flag, of all files of a patch: headers define what others store. */
export function flagFindings(sources: readonly ChangedSource[]): Diagnostic[] {
  return sources.flatMap(newFlags).flatMap((flag) => {
    const uses = sources.flatMap(({ file, after, staying }) =>
      usesOfFlag(flag, after, staying).map((use) => ({ ...use, file })),
    );
    const sets = uses.filter(({ how }) => how === 'sets');
    const [first] = sets;
    if (first === undefined) return [];
    const spots: Spot[] = [
      { file: flag.file, line: flag.line, side: 'patched', what: `defines ${flag.name}` },
      ...uses.map(
        ({ file, line, function: name, how, field }): Spot => ({
          file,
          line,
          side: 'patched',
          what: how === 'sets' ? `${name}() stores it in ${field}` : `${name}() uses it`,
        }),
      ),
    ];
    const functions = [...new Set(sets.map((each) => each.function))];
    return [say.flagBitNew({ file: first.file, name: flag.name, field: first.field!, functions, spots })];
  });
}
