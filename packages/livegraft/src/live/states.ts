/** Whether the states of a livepatch go with those that are loaded: the kernel's own rule, asked before it is (kernel/livepatch/state.c). */
import type { LivegraftNote } from '../support/livegraft-note.ts';

export type StatesOf = Pick<LivegraftNote, 'name' | 'replace' | 'states'>;

export interface StateConflict {
  readonly id: number;
  /** The loaded livepatch. */
  readonly with: string;
  /** Its version, and that of the livepatch to be loaded; `wanted` is absent when that one does not know the state. */
  readonly loaded: number;
  readonly wanted?: number;
}

/**
 * What of the loaded livepatches' states stands in the way: each must be known to one that replaces them, and in no older version.
 * One that replaces nothing need not know a state, but must not have it in an older version.
 */
export function statesIncompatible(
  candidate: StatesOf,
  loaded: readonly Pick<StatesOf, 'name' | 'states'>[],
): StateConflict[] {
  return loaded.flatMap(({ name, states }) =>
    states.flatMap(({ id, version }): StateConflict[] => {
      const own = candidate.states.find((state) => state.id === id);
      if (own === undefined) return candidate.replace ? [{ id, with: name, loaded: version }] : [];
      return own.version >= version ? [] : [{ id, with: name, loaded: version, wanted: own.version }];
    }),
  );
}
