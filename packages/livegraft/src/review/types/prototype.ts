/**
 * Prototypes of a function on both sides, and what becomes of a call that was compiled for the old one: the new code reads arguments
 * where the old caller left them (System V ABI for x86-64: 3.2.3), and the old caller reads the result where the new code left it.
 */
import { BTF_KIND, type Btf } from '@livegraft/binfmt/btf';
import { pointerSize, sizeOf, unqualified } from './layout.ts';
import { declarationText, typeIdentity, typeText } from './type-text.ts';

export interface ChangedPrototype {
  /** Declarations, as C writes them. */
  readonly before: string;
  readonly after: string;
  /** Sentences: what an old call leaves unset or reads unset. Empty where all registers still fit. */
  readonly breaks: readonly string[];
}

/** @param before and `after`: ids of FUNC_PROTOs @returns undefined where they are the same; `const`, typedefs and names of parameters left aside */
export function comparePrototypes(
  name: string,
  [before, old]: readonly [Btf, number],
  [after, fresh]: readonly [Btf, number],
): ChangedPrototype | undefined {
  const [was, now] = [valuesOf(before, old), valuesOf(after, fresh)];
  const moved = movedParameters(was.parameters, now.parameters);
  if (typeIdentity(before, old) === typeIdentity(after, fresh) && moved.length === 0) return undefined;
  return {
    before: declarationText(before, old, name),
    after: declarationText(after, fresh, name),
    breaks: [...parameterBreaks(was, now), ...moved, ...resultBreaks(was.result, now.result)],
  };
}

interface Value {
  readonly kind: 'nothing' | 'integer' | 'pointer' | 'object';
  readonly name: string;
  readonly type: string;
  /** Bytes. */
  readonly size: number;
}

interface Values {
  readonly parameters: readonly Value[];
  readonly variadic: boolean;
  readonly result: Value;
}

function valuesOf(btf: Btf, id: number): Values {
  const list = btf.parameters(id);
  return {
    parameters: list.filter(({ type }) => type !== 0).map(({ name, type }) => passedAs(btf, type, name)),
    variadic: list.at(-1)?.type === 0,
    result: passedAs(btf, btf.type(id).type, ''),
  };
}

function passedAs(btf: Btf, type: number, name: string): Value {
  const { kind } = btf.type(plainType(btf, type));
  const common = { name, type: typeText(btf, type) };
  if (kind === BTF_KIND.VOID) return { ...common, kind: 'nothing', size: 0 };
  // a parameter that is an array is a pointer
  if (kind === BTF_KIND.PTR || kind === BTF_KIND.ARRAY) return { ...common, kind: 'pointer', size: pointerSize };
  const isObject = kind === BTF_KIND.STRUCT || kind === BTF_KIND.UNION || kind === BTF_KIND.FLOAT;
  return { ...common, kind: isObject ? 'object' : 'integer', size: sizeOf(btf, type) };
}

function plainType(btf: Btf, id: number): number {
  const { kind, type, id: own } = btf.type(unqualified(btf, id));
  return kind === BTF_KIND.TYPEDEF ? plainType(btf, type) : own;
}

function parameterBreaks(was: Values, now: Values): string[] {
  const breaks = now.parameters.flatMap((fresh, i): string[] => {
    const old = was.parameters[i];
    const which = `argument ${i + 1} (${declared(fresh)})`;
    if (old === undefined) return [`${which} is new: an old call leaves there what happens to lie there`];
    if (old.kind !== fresh.kind && !isWord(old, fresh)) return [`${which} was ${old.type}`];
    if (old.kind === 'object' && old.size !== fresh.size)
      return [`${which} has ${fresh.size} bytes, and an old call hands over ${old.size}`];
    if (old.size < fresh.size) return [`${which} has ${fresh.size} bytes, of which an old call sets ${old.size}`];
    return [];
  });
  if (now.variadic && !was.variadic) breaks.push('it reads arguments that an old call does not hand over');
  return breaks;
}

/** A name that stands elsewhere than before: an old call hands over another thing in its place. */
function movedParameters(was: readonly Value[], now: readonly Value[]): string[] {
  return now.flatMap((fresh, i): string[] => {
    const at = was.findIndex(({ name }) => name !== '' && name === fresh.name);
    if (at < 0 || at === i || was[i] === undefined) return [];
    return [`argument ${i + 1} is ${fresh.name}, which an old call hands over as argument ${at + 1}`];
  });
}

function resultBreaks(was: Value, now: Value): string[] {
  if (was.kind === 'nothing') return [];
  if (now.kind === 'nothing') return [`it returns nothing, and an old call takes ${was.type} from it`];
  if (was.kind !== now.kind && !isWord(was, now)) return [`it returns ${now.type}, which was ${was.type}`];
  if (was.kind === 'object' ? was.size !== now.size : was.size > now.size)
    return [`it sets ${now.size} bytes of the result, of which an old call reads ${was.size}`];
  return [];
}

/** An address as a number: the same register, all of it. */
function isWord(one: Value, other: Value): boolean {
  return [one, other].every(({ kind, size }) => (kind === 'integer' || kind === 'pointer') && size === pointerSize);
}

function declared({ type, name }: Value): string {
  return name === '' ? type : `${type}${type.endsWith('*') ? '' : ' '}${name}`;
}
