/** Why rebuilt code is not believed to be the code that runs. */
import { define, Exit } from './diagnostic.ts';

const hint =
  'the kernel, its source and the compiler must belong together: see `livegraft kernel show`, and fetch or add the kernel again with matching parts';

/** Where rebuilt and shipped code part. */
type Mismatch = { unit: string; function: string; object: string; offset: number; rebuilt: string; shipped: string };

export const codeDiffers = define<Mismatch>('code-differs', {
  exit: Exit.provenance,
  place: ({ unit, function: name }) => `${unit}: ${name}`,
  message: ({ function: name, object, offset, rebuilt, shipped }) =>
    `The rebuilt ${name} is not the code that ${object} was shipped with: at ${name}+0x${offset.toString(16)} the rebuilt code has ${rebuilt}, the shipped code ${shipped}`,
  hint,
});

export const referenceDiffers = define<Mismatch>('reference-differs', {
  exit: Exit.provenance,
  place: ({ unit, function: name }) => `${unit}: ${name}`,
  message: ({ function: name, object, offset, rebuilt, shipped }) =>
    `The rebuilt ${name} refers to something else than the one in ${object}: ${name}+0x${offset.toString(16)} refers to ${rebuilt}, in the shipped code to ${shipped}`,
  hint,
});

export const functionAbsent = define<{ unit: string; function: string; object: string }>('function-absent', {
  exit: Exit.provenance,
  place: ({ unit, function: name }) => `${unit}: ${name}`,
  message: ({ function: name, object }) =>
    `The rebuilt unit has a function ${name}, but ${object} as shipped has none of that name at the unit's place`,
  hint: 'the file may not be part of this kernel’s configuration; otherwise the source or the compiler is not the one the kernel was built from',
});

export const functionOverridden = define<{ unit: string; function: string; object: string }>('function-overridden', {
  place: ({ unit, function: name }) => `${unit}: ${name}`,
  message: ({ function: name, object }) =>
    `${name} is a weak function that another file overrides: ${object} does not contain this one`,
  hint: 'patch the file whose definition is used',
});

export const symbolUnresolved = define<{ unit: string; name: string; object: string; what: string }>(
  'symbol-unresolved',
  {
    place: ({ unit, name }) => `${unit}: ${name}`,
    message: ({ name, object, what }) => `The new code refers to ${name}, which cannot be found in ${object}: ${what}`,
    hint: 'new code may use what the kernel already contains; define what is missing in the patch itself',
  },
);

export const positionUnstable = define<{ unit: string; name: string; object: string }>('position-unstable', {
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: ({ name, object }) =>
    `${object} has several symbols ${name}, some in code that is freed after loading: their order is another one while the module loads`,
  hint: 'no livepatch can name this symbol reliably; patch its callers instead',
});
