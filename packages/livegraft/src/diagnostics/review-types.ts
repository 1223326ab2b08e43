/** What a review finds: changes of meaning that the code alone does not show. */
import { define, Exit } from './diagnostic.ts';

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

function list(names: readonly string[]): string {
  const few = 8;
  return `${names.slice(0, few).join(', ')}${names.length > few ? ` and ${names.length - few} more` : ''}`;
}
