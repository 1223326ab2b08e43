/** What the comparison of two objects can find that a live patch cannot carry. */
import { define } from './diagnostic.ts';

export const dataChanged = define<{
  unit: string;
  name: string;
  section: string;
  what: string;
  statement?: string;
}>('data-changed', {
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name, section, what }) =>
    `The patch changes the variable ${name} (${section}): ${what}. It exists already in the running kernel, and a livepatch does not touch existing data`,
  hint: ({ statement }) =>
    `leave the initial value as it is, and give the new code a variable of its own${
      statement === undefined
        ? ''
        : `; what a pre-patch callback would do is \`${statement}\`, if nobody has set it to anything else meanwhile`
    }`,
});

export const initChanged = define<{ unit: string; name: string }>('init-changed', {
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name }) =>
    `The patch changes ${name}, which is used once, at start-up or shutdown, and is gone or has done its work when a livepatch comes: replacing it would have no effect`,
  hint: 'leave the __init and __exit parts out of the live patch',
});

export const registryChanged = define<{ unit: string; section: string; what: string }>('registry-changed', {
  place: ({ unit }) => unit,
  message: ({ section, what }) =>
    `The patch changes ${section} (${what}), which the kernel reads when it starts or when the module is loaded, not later`,
  hint: 'exports, parameters, tracepoints and initcalls cannot be added to or taken from running code: leave that part out',
});

export const unnamedChanged = define<{ unit: string; section: string; start: number; size: number }>(
  'unnamed-changed',
  {
    place: ({ unit, section }) => `${unit}: ${section}`,
    message: ({ section, start, size }) =>
      `The patch changes or adds ${size} bytes without a name in ${section}, from 0x${start.toString(16)} on, which nothing in the unit refers to: what they do cannot be told`,
    hint: 'leave out of the live patch what is written in assembly outside of functions',
  },
);

export const constantReplaced = define<{ unit: string; name: string }>('constant-replaced', {
  severity: 'warning',
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name }) =>
    `The patch changes the constant ${name}: the replaced functions use the new one, but whoever has kept the address of the old one goes on with that`,
  hint: 'where the address is stored (an ops table, a policy), see that old and new can live side by side, and that nothing keeps the new one after a revert',
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

export const notAnObject = define<{ unit: string; type: number }>('not-an-object', {
  place: ({ unit }) => unit,
  message: ({ type }) => {
    const kinds = ['of no type', 'relocatable', 'an executable', 'a shared object or an executable', 'a core dump'];
    return `The file is ${kinds[type] ?? `an ELF file of type ${type}`}; a relocatable object is expected`;
  },
  hint: 'give the .o files that the compiler made, not what was linked from them',
});

export const objectsDiffer = define<{ unit: string; what: string }>('objects-differ', {
  place: ({ unit }) => unit,
  message: ({ what }) => `The two objects do not belong together: ${what}`,
  hint: 'compile both with the same compiler and the same flags',
});

export const exportAdded = define<{ unit: string; name: string }>('export-added', {
  place: ({ unit }) => unit,
  message: ({ name }) =>
    `The patch exports ${name}; modules that are loaded later could not see it: a livepatch exports nothing`,
  hint: 'leave the EXPORT_SYMBOL out; code of the patch itself can call the function without it',
});

export const exportStays = define<{ unit: string; name: string }>('export-stays', {
  severity: 'note',
  place: ({ unit }) => unit,
  message: ({ name }) =>
    `The patch takes back the export of ${name}; in the running kernel it stays exported until the next start`,
});

export const exportChanged = define<{ unit: string; name: string; before: number; after: number }>('export-changed', {
  severity: 'warning',
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name, before, after }) =>
    `The version (CRC) of the exported ${name} goes from 0x${before.toString(16).padStart(8, '0')} to 0x${after.toString(16).padStart(8, '0')}: the patch changes a type that its declaration reaches. Modules go on with the old one`,
  hint: 'see that callers which are not replaced, in modules from elsewhere too, can live with the new function and with what it hands them',
});
