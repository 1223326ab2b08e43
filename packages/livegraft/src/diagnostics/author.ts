/** What can be wrong with what a patch says by the macros of livegraft.h, and what is told about it. */
import { define } from './diagnostic.ts';

interface Where extends Record<string, unknown> {
  unit: string;
  name: string;
}
const place = ({ unit, name }: Where): string => `${unit}: ${name}`;

export const authorInOriginal = define<{ unit: string }>('author-in-original', {
  place: ({ unit }) => unit,
  message: () =>
    'The kernel’s own source has macros of livegraft.h in this file already; they belong into a patch, and nobody can tell here which are new',
  hint: 'take them out of the source that the kernel is built from',
});

export const authorUnreadable = define<{ unit: string; what: string }>('author-unreadable', {
  place: ({ unit }) => unit,
  message: ({ what }) =>
    `The section .livegraft of the patched object does not hold what livegraft.h puts there: ${what}`,
  hint: 'use the macros of livegraft.h, and leave the section to them',
});

export const callbackNotFunction = define<Where & { kind: string }>('callback-not-function', {
  place,
  message: ({ name, kind }) => `The ${kind} callback ${name} is not a function that this patch adds for this object`,
  hint: 'write the callback as a new function in the same file; it may call others',
});

export const callbackTwice = define<Where & { kind: string; other: string }>('callback-twice', {
  place,
  message: ({ name, kind, other }) => `This file has two ${kind} callbacks: ${other} and ${name}`,
  hint: 'call one from the other: the order and what happens after an error are then in your hands',
});

export const stateTwice = define<{ unit: string; id: string; other: string }>('state-twice', {
  place: ({ unit }) => unit,
  message: ({ id, other }) => `The state ${id} is declared a second time; the first is in ${other}`,
  hint: 'one LIVEGRAFT_STATE() for each number; another thing that changes is another state',
});

export const stateInvalid = define<{ unit: string; id: string }>('state-invalid', {
  place: ({ unit }) => unit,
  message: ({ id }) => `A state has the number ${id}; 1 to 9007199254740991 can be used`,
  hint: 'the kernel takes 0 for the end of the list; choose another number',
});

export const ignoreWithoutReason = define<Where>('ignore-without-reason', {
  place,
  message: ({ name }) => `LIVEGRAFT_IGNORE(${name}) gives no reason why the change may be left out`,
  hint: 'say it in the second argument: whoever reviews the livepatch reads it there',
});

export const includeWithoutReason = define<Where>('include-without-reason', {
  place,
  message: ({ name }) => `LIVEGRAFT_INCLUDE(${name}) gives no reason why the function must be replaced`,
  hint: 'say it in the second argument: whoever reviews the livepatch reads it there',
});

export const authorNameUnknown = define<Where & { macro: string; what: string }>('author-name-unknown', {
  place,
  message: ({ name, macro, what }) => `${macro}(${name}): the kernel has no ${what} of that name in this file`,
  hint: 'a static function may be inlined everywhere and then has no code of its own: name those that it went into',
});

export const ignoreTooMuch = define<Where & { what: string }>('ignore-too-much', {
  place,
  message: ({ name, what }) =>
    `LIVEGRAFT_IGNORE(${name}): only another initial value can be left out, but ${what}; new code would rely on that`,
  hint: 'leave the existing variable as it is and put the new one beside it, or use a shadow variable',
});

export const changeIgnored = define<Where & { reason: string }>('change-ignored', {
  severity: 'warning',
  place,
  message: ({ name, reason }) => `The change of ${name} is left out, as the patch asks: ${reason}`,
  hint: 'the reason is the author’s; nothing here checked it',
});

export const ignoreNeedless = define<Where>('ignore-needless', {
  severity: 'warning',
  place,
  message: ({ name }) => `LIVEGRAFT_IGNORE(${name}) leaves nothing out: ${name} is what it was`,
  hint: 'take it out of the patch, so that it hides nothing later',
});

export const functionForced = define<Where & { reason: string }>('function-forced', {
  severity: 'note',
  place,
  message: ({ name, reason }) => `${name} is replaced although its code is what it was, as the patch asks: ${reason}`,
});

export const noteTooLarge = define<{ name: string; size: number; limit: number }>('note-too-large', {
  place: ({ name }) => name,
  message: ({ size, limit }) =>
    `What the module says of itself takes ${size} bytes even without subjects and CVEs; ${limit} are possible`,
  hint: 'fewer states in one livepatch',
});
