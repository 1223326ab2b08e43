/** What a review finds: changes of meaning that the code alone does not show. */
import { define, Exit, type Spot } from './diagnostic.ts';

type InUnit = { readonly unit: string };

export const layoutChanged = define<
  InUnit & {
    kind: string;
    name: string;
    /** Lines: a field a line, before and after. */
    fields: readonly string[];
    replaced: readonly string[];
    staying: readonly string[];
    shadow: string;
  }
>('layout-changed', {
  exit: Exit.refused,
  place: ({ unit }) => unit,
  message: ({ kind, name, fields, replaced, staying }) =>
    [
      `${kind} ${name} has another layout after the patch. Objects that exist keep the old one, and so does code that is not replaced`,
      ...fields.map((line) => `  ${line}`),
      ...(replaced.length === 0 ? [] : [`  replaced, and naming it: ${list(replaced)}`]),
      ...(staying.length === 0 ? [] : [`  not replaced, and naming it: ${list(staying)}`]),
    ].join('\n'),
  hint: ({ name, shadow }) =>
    `${shadow === '' ? '' : `keep the structure and give its objects the new field as a shadow variable: ${shadow} (docs/authors.md); `}if no object of it outlives a call, say so: LIVEGRAFT_IGNORE(${name}, "reason")`,
});

export const layoutAccepted = define<InUnit & { kind: string; name: string; reason: string }>('layout-accepted', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ unit }) => unit,
  message: ({ kind, name, reason }) => `${kind} ${name} has another layout after the patch; the author says: ${reason}`,
});

export const enumChanged = define<InUnit & { name: string; values: readonly string[] }>('enum-changed', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ unit }) => unit,
  message: ({ name, values }) =>
    `enum ${name} changes its values: ${values.join(', ')}. What is stored, and code that is not replaced, keep the old meaning`,
  hint: 'give new values numbers behind the old ones',
});

export const constantChanged = define<{
  file: string;
  name: string;
  /** As the source has it, and the value where that is known. */
  before: string;
  after: string;
  functions: readonly string[];
  spots: readonly Spot[];
}>('constant-changed', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ file }) => file,
  message: ({ name, before, after, spots }) =>
    `${name} goes from ${before} to ${after}, and the old value stays: ${list(spots.map(({ what }) => what))}`,
  hint: 'see that the new code gets along with what was made by the old value, and after a revert the old code with what was made by the new one; or give the new code a constant of another name',
  spots: ({ spots }) => spots,
  functions: ({ functions }) => functions,
});

export const typeNotShipped = define<
  InUnit & {
    kind: string;
    name: string;
    /** `vmlinux` or the module. */
    object: string;
    /** Lines: a field a line, both sides. */
    fields: readonly string[];
  }
>('type-not-shipped', {
  exit: Exit.provenance,
  place: ({ unit }) => unit,
  message: ({ kind, name, object, fields }) =>
    [
      `${kind} ${name} as it is rebuilt is not the one that the BTF of ${object === 'vmlinux' ? 'the kernel' : `${object} and of the kernel`} has`,
      ...fields.map((line) => `  ${line}`),
    ].join('\n'),
  hint: 'source, configuration or compiler are not those that the kernel was built with: fetch or add it again; where they are, report it',
});

type Prototypes = InUnit & {
  name: string;
  /** Declarations. */
  before: string;
  after: string;
  /** Sentences: what does not fit an old call. */
  breaks: readonly string[];
  /** Functions and variables, modules, assembly files. */
  staying: readonly string[];
  /** Functions that are replaced and name it. */
  replaced: readonly string[];
};

export const prototypeChanged = define<Prototypes>('prototype-changed', {
  exit: Exit.refused,
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: (facts) =>
    [
      `${facts.name}() changes its prototype, and who stays goes on calling it by the old one`,
      ...bothSides(facts),
    ].join('\n'),
  hint: ({ name }) =>
    `leave ${name}() as it is for them: put the new code into a function of another name with the new prototype, let ${name}() call that, and let the patch change callers to it`,
  functions: ({ name }) => [name],
});

export const prototypeDoubtful = define<Prototypes>('prototype-doubtful', {
  severity: 'warning',
  exit: Exit.done,
  place: ({ unit, name }) => `${unit}: ${name}`,
  message: (facts) =>
    [
      facts.breaks.length === 0
        ? `${facts.name}() changes its prototype. Calls by the old one reach it; arguments and result are where the new code expects them, and may mean something else`
        : `${facts.name}() changes its prototype, and its address is taken where nothing tells by which prototype it is called`,
      ...bothSides(facts),
    ].join('\n'),
  hint: ({ name }) =>
    `see that calls by the old prototype cannot happen, or that the new code gets along with them; else leave ${name}() as it is, as a wrapper of a new function`,
  functions: ({ name }) => [name],
});

function bothSides({ before, after, breaks, staying, replaced }: Prototypes): string[] {
  return [
    `  before: ${before}`,
    `  after:  ${after}`,
    ...breaks.map((each) => `  ${each}`),
    `  not replaced, and using it: ${list(staying)}`,
    ...(replaced.length === 0 ? [] : [`  replaced, and naming it: ${list(replaced)}`]),
  ];
}

function list(names: readonly string[]): string {
  const few = 8;
  return `${names.slice(0, few).join(', ')}${names.length > few ? ` and ${names.length - few} more` : ''}`;
}
