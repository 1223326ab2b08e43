/** What the checker of the finished module has to say (verify/): a mistake of livegraft's own, caught before anybody loads it. */
import { define, Exit } from './diagnostic.ts';

const report =
  'this is a mistake in livegraft, not in the patch: please report it, with the patch and the kernel’s release';

export const moduleNotLoadable = define<{ at: string; what: string }>('module-not-loadable', {
  exit: Exit.failed,
  place: ({ at }) => at,
  message: ({ at, what }) =>
    `The kernel would not take the module that was built, or would read it wrongly: ${at}: ${what}`,
  hint: report,
});

export const moduleWrong = define<{
  unit: string;
  function: string;
  offset: number;
  instruction: string;
  meant: string;
  found: string;
}>('module-wrong', {
  exit: Exit.failed,
  place: ({ unit, function: name, offset }) => `${unit}: ${name}+0x${offset.toString(16)}`,
  message: ({ function: name, offset, instruction, meant, found }) =>
    `The module that was built does not do what the patched source says: at ${name}+0x${offset.toString(16)} (${instruction}) the source means ${meant}; the module has ${found}`,
  hint: report,
});

export const moduleUnchecked = define<Record<string, unknown>>('module-unchecked', {
  severity: 'warning',
  message: () =>
    'The finished module was not checked against the patched objects: the kernel has no type information (BTF) to read its structures by',
  hint: 'nothing else checks it a second time: try it (`livegraft try`) before you load it',
});

export const referenceUndecided = define<{ function: string; what: string }>('reference-undecided', {
  severity: 'note',
  place: ({ what }) => what.split(':')[0],
  message: ({ function: name, what }) =>
    `The check of the finished module leaves one reference of the new ${name} to the builder’s word: ${what.slice(what.indexOf(':') + 2)}`,
});
