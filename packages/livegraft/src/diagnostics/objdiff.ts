/** What the comparison of two objects can find that a live patch cannot carry. */
import { define } from './diagnostic.ts';

export const dataChanged = define<{ unit: string; name: string; section: string; what: string }>('data-changed', {
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name, section, what }) =>
    `The patch changes the variable ${name} (${section}): ${what}. It exists already in the running kernel, and a livepatch does not touch existing data`,
  hint: 'leave the initial value as it is and set the variable from a callback, or give the new code a variable of its own',
});

export const constantShared = define<{ unit: string; name: string; user: string }>('constant-shared', {
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name, user }) =>
    `The patch changes the constant ${name}, which ${user} uses too and cannot be replaced together with it`,
  hint: 'give the changed code a constant of its own under another name',
});

export const initChanged = define<{ unit: string; name: string }>('init-changed', {
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name }) =>
    `The patch changes ${name}, which runs once at start-up or shutdown and is gone or marked untraceable afterwards: replacing it would have no effect`,
  hint: 'leave the __init and __exit parts out of the live patch; do their work from a callback where it matters',
});

export const registryChanged = define<{ unit: string; section: string; what: string }>('registry-changed', {
  place: ({ unit }) => unit,
  message: ({ section, what }) =>
    `The patch changes ${section} (${what}), which the kernel reads when it starts or when the module is loaded, not later`,
  hint: 'exports, parameters, tracepoints and initcalls cannot be added to or taken from running code: leave that part out',
});

export const stateLost = define<{ unit: string; name: string }>('state-lost', {
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name }) =>
    `The static variable ${name} cannot be matched with the one in the running kernel: the new code would start with a fresh copy`,
  hint: 'keep the number and order of static variables of that name in the functions that the patch changes, or rename the new one',
});

export const onceFlagRestarts = define<{ unit: string; name: string }>('once-flag-restarts', {
  severity: 'note',
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name }) =>
    `${name} starts afresh in the new code: a message that comes only once, or a rate limit, may come again`,
});

export const tableUnreadable = define<{ unit: string; what: string }>('table-unreadable', {
  place: ({ unit }) => unit,
  message: ({ what }) => `Cannot read a table of the object: ${what}`,
  hint: 'please report this, with the object file',
});

export const objectsDiffer = define<{ unit: string; what: string }>('objects-differ', {
  place: ({ unit }) => unit,
  message: ({ what }) => `The two objects do not belong together: ${what}`,
  hint: 'compile both with the same compiler and the same flags',
});
