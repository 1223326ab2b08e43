/** What a review finds in the data of a livepatch: what it keeps, and who must know of it later. */
import { define, Exit } from './diagnostic.ts';

export const stateWithoutNumber = define<{ units: readonly string[]; what: string }>('state-without-number', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ units }) => units.join(', '),
  message: ({ what }) =>
    `The livepatch converts what the kernel has (${what}) and declares no state: a later livepatch that replaces it cannot know`,
  hint: 'LIVEGRAFT_STATE(number, version) names what was converted (docs/authors.md)',
});

export const dataOfItsOwn = define<{ names: readonly string[] }>('data-of-its-own', {
  severity: 'note',
  exit: Exit.done,
  message: ({ names }) =>
    `The livepatch brings writable data of its own (${names.join(', ')}). It starts anew with each load; a revert, and a livepatch that replaces this one, lose it`,
});
