/** What a review finds where old and new code run at the same time. */
import { define, Exit, type Spot } from './diagnostic.ts';

interface Moved extends Record<string, unknown> {
  readonly file: string;
  /** As written: `&sbi->s_lock`, `kref_get/kref_put`. */
  readonly name: string;
  readonly functions: readonly string[];
  readonly spots: readonly Spot[];
}

export const lockSideMoved = define<Moved>('lock-side-moved', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ file }) => file,
  message: ({ name, functions }) =>
    `The lock ${name} is taken or given back elsewhere than before, in ${functions.join(', ')}. A task that moves over between the two halves takes it by the old code and gives it back by the new, or twice, or never`,
  hint: 'make sure that no task can sleep or return to user space between the halves, or keep them where they are',
  spots: ({ spots }) => spots,
  functions: ({ functions }) => functions,
});

export const referenceSideMoved = define<Moved>('reference-side-moved', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ file }) => file,
  message: ({ name, functions }) =>
    `References (${name}) are taken or given back elsewhere than before, in ${functions.join(', ')}. What the old code took without the reference may be given back with it by the new code: an object that exists when the livepatch comes, or when it goes, is freed too early or never`,
  hint: 'let the new code tell objects made before from those made after (a shadow variable, docs/authors.md), or leave the counting as it is',
  spots: ({ spots }) => spots,
  functions: ({ functions }) => functions,
});
