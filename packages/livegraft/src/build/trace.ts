/** Finds the way from a function to a changed line: through what was inlined into it, and through the macros that its text names. */
import type { Cause } from '../objdiff/explain/cause.ts';
import type { ChangedDeclaration } from '../patch/changes.ts';
import type { Names } from './source-view.ts';

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** The function's own text. */
export function ownChange(name: string, changes: readonly ChangedDeclaration[]): readonly Cause[] | undefined {
  const change = changes.find(({ kind, names }) => kind === 'function' && names.includes(name));
  return change === undefined ? undefined : [sourceOf(change)];
}

/** The shortest chain of inlined functions that ends at a changed one. */
export function inlinedChange(
  name: string,
  into: Graph,
  changes: readonly ChangedDeclaration[],
): readonly Cause[] | undefined {
  for (const path of paths(name, into)) {
    const end = ownChange(path.at(-1)!, changes);
    if (path.length > 1 && end !== undefined) return [...inlined(path), ...end];
  }
  return undefined;
}

/** A changed macro, type or variable that the text of the function, or of one inlined into it, names; directly, or through macros and types. */
export function namedChange(
  name: string,
  into: Graph,
  { uses, macros, types }: Names,
  changes: readonly ChangedDeclaration[],
): readonly Cause[] | undefined {
  const changed = new Map<string, ChangedDeclaration>();
  for (const change of changes) {
    if (change.kind !== 'macro' && change.kind !== 'type' && change.kind !== 'variable') continue;
    for (const each of change.names) changed.set(each, changed.get(each) ?? change);
  }
  if (changed.size === 0) return undefined;
  const through: Graph = new Map([...macros, ...types].map((each) => [each, uses.get(each) ?? new Set<string>()]));
  for (const path of paths(name, into)) {
    const holder = path.at(-1)!;
    for (const used of uses.get(holder) ?? []) {
      for (const way of paths(used, through)) {
        const last = way.at(-1)!;
        const change = changed.get(last);
        if (change === undefined || last === holder) continue;
        const links = way
          .slice(0, -1)
          .map((each): Cause => ({ kind: macros.has(each) ? 'macro' : 'type', name: each }));
        const kind = change.kind as 'macro' | 'type' | 'variable';
        return [...inlined(path), ...links, { kind, name: last }, sourceOf(change)];
      }
    }
  }
  return undefined;
}

function sourceOf({ file, line, how }: ChangedDeclaration): Cause {
  return how === 'gone' ? { kind: 'source', file, line, gone: true } : { kind: 'source', file, line };
}

function inlined(path: readonly string[]): readonly Cause[] {
  return path.slice(1).map((name): Cause => ({ kind: 'inlined', name }));
}

/** All that can be reached, nearest first, each with the way to it; the start itself comes first. */
function* paths(start: string, graph: Graph): Generator<readonly string[]> {
  const seen = new Set([start]);
  const queue: (readonly string[])[] = [[start]];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    yield path;
    for (const next of graph.get(path.at(-1)!) ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      queue.push([...path, next]);
    }
  }
}
