/** What can keep a changed function out of a livepatch module. */
import { define, Exit } from './diagnostic.ts';

interface Where extends Record<string, unknown> {
  unit: string;
  function: string;
}
const place = ({ unit, function: name }: Where): string => `${unit}: ${name}`;

export const notTraceable = define<Where & { object: string }>('no-ftrace-entry', {
  place,
  message: ({ function: name, object }) =>
    `${name} cannot be replaced: the code shipped in ${object} has no ftrace entry there (notrace, noinstr, or built without -pg)`,
  hint: 'patch the functions that call it instead: move the corrected code into a new function and call that one',
});

export const moduleKey = define<Where & { key: string; object: string }>('static-key-in-module', {
  place,
  message: ({ function: name, key, object }) =>
    `${name} branches on the static key ${key} of the module ${object}; its jump table entry would be read before the module's symbols are known to the livepatch`,
  hint: 'in the patch, #include <livegraft.h> and test it with LIVEGRAFT_KEY_ENABLED(key) instead of static_branch_likely() or static_branch_unlikely()',
});

export const tracepointSilent = define<Where & { tracepoint: string }>('tracepoint-silent', {
  severity: 'warning',
  place,
  message: ({ function: name, tracepoint }) =>
    `The tracepoint ${tracepoint} will not fire in the replaced ${name}: its key lies in a module, and stays off in the new code`,
  hint: 'tools that rely on this tracepoint see nothing from this function while the patch is in',
});

export const staticCallByTrampoline = define<Where & { call: string }>('static-call-by-trampoline', {
  severity: 'note',
  place,
  message: ({ function: name, call }) =>
    `${name} makes the static call ${call} of a module through its trampoline: one jump more, the same target`,
});

export const lateTable = define<Where & { table: string; symbol: string }>('late-symbol-in-table', {
  place,
  message: ({ function: name, table, symbol }) =>
    `${table} of ${name} refers to ${symbol} of a module; the kernel applies this table when the livepatch is loaded, before that symbol is known`,
  hint: 'move the alternative or the fixup into a function of its own that the patch does not change',
});

export const insideOfOther = define<Where & { target: string; offset: number }>('inside-of-other', {
  place,
  message: ({ function: name, target, offset }) =>
    `The new ${name} refers to ${target}+0x${offset.toString(16)}, a place inside a function that the patch does not replace`,
  hint: 'please report this, with the object file',
});

export const doubtfulReference = define<Where & { symbol: string; section: string }>('doubtful-reference', {
  place,
  message: ({ function: name, symbol, section }) =>
    `The new ${name} takes an address in ${section} at ${symbol}, where the patch moves variables: which of them is meant, the object file does not say`,
  hint: 'leave the section attribute (__read_mostly, percpu, …) off the new variable, or make it not static',
});

export const unknownTable = define<Where & { table: string; offset: number }>('unknown-table', {
  place,
  message: ({ function: name, table, offset }) =>
    `${table} has an entry about ${name}+0x${offset.toString(16)}; livegraft does not know this table, and cannot make one for the new ${name}`,
  hint: 'please report this, with the object file',
});

export const nameTaken = define<{ unit: string; name: string; object: string }>('definition-added', {
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name, object }) =>
    `The patch defines ${name} in this file, but ${object} has a global symbol of that name already: what is not replaced would go on using the old one`,
  hint: 'leave the function or variable in the file it is in, and change it there; or give the new one another name',
});

export const initReference = define<Where & { symbol: string }>('refers-to-init', {
  place,
  message: ({ function: name, symbol }) =>
    `The new ${name} refers to ${symbol}, which is freed once the kernel or module has started`,
  hint: 'code that can run at any time must not use __init or __initdata',
});

export const unnamedData = define<Where & { section: string }>('unnamed-data', {
  place,
  message: ({ function: name, section }) =>
    `The new ${name} refers to writable data in ${section} that has no symbol, so it cannot be found in the running kernel`,
  hint: 'please report this, with the object file',
});

export const relocationUnsupported = define<Where & { type: number; offset: number }>('relocation-unsupported', {
  place,
  message: ({ function: name, type, offset }) =>
    `${name}+0x${offset.toString(16)} has a relocation of type ${type}, which the kernel's module loader does not apply`,
  hint: 'please report this, with the object file',
});

export const otherObjectSymbol = define<Where & { symbol: string; owner: string; object: string }>(
  'symbol-out-of-reach',
  {
    place,
    message: ({ function: name, symbol, owner, object }) =>
      `The new ${name} in ${object} refers to ${symbol} of ${owner}, which need not be loaded when ${object} is`,
    hint: 'use what the target itself or a module it depends on provides',
  },
);

export const pointerEscapes = define<Where & { target: string }>('pointer-to-new-code', {
  severity: 'warning',
  place,
  message: ({ function: name, target }) =>
    `${name} takes the address of the new function ${target}: where it is stored (timer, work, ops table), it must be gone before the patch is unloaded`,
  hint: 'check that nothing keeps this pointer after a revert; the kernel would jump into unloaded code',
});

export const landingPadMissing = define<Where & { target: string; object: string; pad: 'sealed' | 'absent' }>(
  'landing-pad-missing',
  {
    place,
    message: ({ function: name, target, object, pad }) =>
      `${name} newly takes the address of ${target} of ${object}, which ${pad === 'sealed' ? 'has its endbr64 overwritten when the kernel starts, because nothing took its address' : 'does not begin with endbr64'}: with IBT, calling it by that address stops the kernel`,
    hint: 'in the patch, take the address of a new function that calls it',
  },
);

export const runtimeConstant = define<Where & { table: string; offset: number }>('runtime-constant', {
  place,
  message: ({ function: name, table, offset }) =>
    `${name}+0x${offset.toString(16)} has a number that the kernel fills in while it starts (${table}); nobody fills it in in a module, and this kind cannot be loaded from a variable in the same bytes`,
  hint: 'change the function so that it does without, or patch its callers',
});

export const nameTooLong = define<{ name: string; limit: number; what: string }>('name-too-long', {
  message: ({ name, limit, what }) => `${what} ${name} is ${name.length} characters long; the kernel takes ${limit}`,
  hint: 'choose a shorter name',
});

export const nothingToReplace = define<{ count: number }>('nothing-to-replace', {
  exit: Exit.nothingToDo,
  message: ({ count }) => `The patch changes no code: ${count} functions compared, all unchanged`,
});
