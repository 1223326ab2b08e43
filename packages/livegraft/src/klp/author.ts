/** The callbacks and states of all units, judged together: what of them a livepatch can register. */
import * as say from '../diagnostics/author.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Target } from '../objdiff/atoms.ts';
import { type AuthorCallback, type CallbackKind, callbackKinds } from '../support/author.ts';
import type { Piece } from './piece.ts';
import type { ChangedUnit } from './unit.ts';

export interface Callback {
  readonly unit: ChangedUnit;
  readonly kind: CallbackKind;
  readonly name: string;
  readonly piece: Piece;
}

export interface State {
  readonly id: number;
  readonly version: number;
}

/** A callback's entry and the function that it names. */
export interface NamedCallback extends AuthorCallback {
  readonly unit: ChangedUnit;
  /** Undefined when the entry points nowhere. */
  readonly target: Target | undefined;
}

/** Of one unit, in the order of the kinds; and what stands in the way. */
export function callbacksOf(unit: ChangedUnit): { callbacks: NamedCallback[]; problems: Diagnostic[] } {
  const { section, callbacks } = unit.diff.author;
  const problems: Diagnostic[] = [];
  const found: NamedCallback[] = [];
  for (const kind of callbackKinds) {
    const [first, ...more] = callbacks.filter((each) => each.kind === kind);
    if (first === undefined) continue;
    for (const { name } of more) problems.push(say.callbackTwice({ unit: unit.source, name, kind, other: first.name }));
    const relocation = section!.relocations.find(({ offset }) => offset === first.field);
    const target = relocation && unit.diff.patched.object.resolve(section!, relocation);
    found.push({ ...first, unit, target });
  }
  return { callbacks: found, problems };
}

/** The states of all units by rising number; and what stands in the way. */
export function statesOf(units: readonly ChangedUnit[]): { states: State[]; problems: Diagnostic[] } {
  const owners = new Map<bigint, string>();
  const problems: Diagnostic[] = [];
  const states: State[] = [];
  for (const { source: unit, diff } of units) {
    for (const { id, version } of diff.author.states) {
      const other = owners.get(id);
      if (id < 1n || id > BigInt(Number.MAX_SAFE_INTEGER)) problems.push(say.stateInvalid({ unit, id: String(id) }));
      else if (other !== undefined) problems.push(say.stateTwice({ unit, id: String(id), other }));
      else states.push({ id: Number(id), version });
      owners.set(id, other ?? unit);
    }
  }
  return { states: states.sort((a, b) => a.id - b.id), problems };
}
