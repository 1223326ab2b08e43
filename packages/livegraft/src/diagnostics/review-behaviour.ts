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

export const lockOrderChanged = define<{
  file: string;
  outer: string;
  inner: string;
  functions: readonly string[];
  spots: readonly Spot[];
}>('lock-order-changed', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ file }) => file,
  message: ({ outer, inner, functions }) =>
    `In ${functions.join(', ')}, ${inner} is taken while ${outer} is held; before the patch the two were taken the other way round. A task in the old code and one in the new can each hold what the other waits for, and then neither ever leaves`,
  hint: 'keep the old order, or try the inner lock and give way (mutex_trylock(), spin_trylock()); where both orders are for different objects, nothing needs to be done',
  spots: ({ spots }) => spots,
  functions: ({ functions }) => functions,
});

interface Returns extends Record<string, unknown> {
  readonly file: string;
  readonly name: string;
  /** `-ENOMEM`, `NULL`, `ERR_PTR(-EINVAL)`. */
  readonly returned: string;
  /** What stands there in a sentence about callers. */
  readonly callers: string;
  readonly functions: readonly string[];
  readonly spots: readonly Spot[];
}

export const returnChanged = define<Returns>('return-changed', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ file }) => file,
  message: ({ name, returned, callers }) => `${name}() can return ${returned}, which it did not before. ${callers}`,
  hint: 'see what those callers do with it; let the patch change them too, or have the function return what they know',
  spots: ({ spots }) => spots,
  functions: ({ functions }) => functions,
});

export const returnIgnored = define<Returns>('return-ignored', {
  severity: 'note',
  exit: Exit.done,
  place: ({ file }) => file,
  message: ({ name, returned, callers }) => `${name}() can return ${returned}, which it did not before. ${callers}`,
  hint: 'see that those callers get along when it fails',
  spots: ({ spots }) => spots,
  functions: ({ functions }) => functions,
});

export const flagBitNew = define<{
  file: string;
  name: string;
  field: string;
  functions: readonly string[];
  spots: readonly Spot[];
}>('flag-bit-new', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ file }) => file,
  message: ({ name, field, functions }) =>
    `${name} is new, and is stored in ${field} by ${functions.join(', ')}. Objects that exist do not have it, code that is not replaced and tasks in the old code do not know it, and a revert leaves it where it is`,
  hint: 'see that the value was free in that field, that its absence means what it meant before, and that old code gets along with it; or keep it in a shadow variable (docs/authors.md) that goes with the livepatch',
  spots: ({ spots }) => spots,
  functions: ({ functions }) => functions,
});

export const storedCallback = define<{
  file: string;
  object: string;
  /** In a sentence, what changes for the object. */
  change: string;
  /** In a sentence, what becomes of objects that exist. */
  fate: string;
  functions: readonly string[];
  spots: readonly Spot[];
}>('stored-callback', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ file }) => file,
  message: ({ change, fate }) => `${change}. ${fate}`,
  hint: 'keep what is set up as it is and change the function that is called; or bring existing objects over in a callback (docs/authors.md)',
  spots: ({ spots }) => spots,
  functions: ({ functions }) => functions,
});

export const exportedChanged = define<{
  unit: string;
  name: string;
  object: string;
  gpl: boolean;
  /** Shipped modules that import it; absent where that could not be read. */
  importers?: readonly string[];
}>('exported-changed', {
  severity: 'note',
  exit: Exit.done,
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name, object, gpl, importers }) =>
    `${name}() is exported by ${object} (EXPORT_SYMBOL${gpl ? '_GPL' : ''}): ${imported(importers)}; modules from elsewhere may call it too`,
  hint: 'see that what it promises to its callers stays the same',
  functions: ({ name }) => [name],
});

function imported(importers: readonly string[] | undefined): string {
  if (importers === undefined) return 'which modules import it is not known here';
  if (importers.length === 0) return 'no shipped module imports it';
  const shown = importers.slice(0, 5).join(', ');
  const more = importers.length > 5 ? ` and ${importers.length - 5} more` : '';
  return `${importers.length === 1 ? 'the module' : `${importers.length} modules`} ${importers.length === 1 ? shown : `(${shown}${more})`} ${importers.length === 1 ? 'imports' : 'import'} it`;
}
