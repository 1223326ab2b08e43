/** A changed file as its functions before and after. */
import type { PatchedFile } from '../../patch/apply.ts';
import { type Declaration, declarationsOf } from '../../patch/declarations.ts';
import { callsIn } from './calls.ts';

export type Functions = ReadonlyMap<string, Declaration>;

export interface ChangedSource {
  /** Path in the source tree. */
  readonly file: string;
  readonly original: readonly Declaration[];
  readonly patched: readonly Declaration[];
  readonly before: Functions;
  readonly after: Functions;
  /** Functions that are in both with the same text: what calls another one goes on calling it as it did. */
  readonly staying: Functions;
  /** Of those, who calls a function of a name. */
  readonly callers: ReadonlyMap<string, readonly Declaration[]>;
}

export function changedSource({ path, original, patched }: Pick<PatchedFile, 'path' | 'original' | 'patched'>) {
  const [old, fresh] = [declarationsOf(original), declarationsOf(patched)];
  const [before, after] = [functionsOf(old), functionsOf(fresh)];
  const staying = new Map(
    [...after].filter(([name, { tokens }]) => {
      const was = before.get(name)?.tokens;
      return was?.length === tokens.length && tokens.every(({ text }, i) => text === was[i]!.text);
    }),
  );
  return {
    file: path,
    original: old,
    patched: fresh,
    before,
    after,
    staying,
    callers: callersIn(staying),
  } satisfies ChangedSource;
}

/** Of several of one name, as in the branches of an #if, the longest: the others are stubs. */
function functionsOf(declarations: readonly Declaration[]): Functions {
  const found = new Map<string, Declaration>();
  for (const each of declarations) {
    const { kind, name, tokens } = each;
    if (kind === 'function' && tokens.length > (found.get(name)?.tokens.length ?? 0)) found.set(name, each);
  }
  return found;
}

function callersIn(functions: Functions): ReadonlyMap<string, readonly Declaration[]> {
  const found = new Map<string, Declaration[]>();
  for (const caller of functions.values())
    for (const name of new Set(callsIn(caller).map((call) => call.name))) {
      const known = found.get(name);
      if (known === undefined) found.set(name, [caller]);
      else known.push(caller);
    }
  return found;
}
