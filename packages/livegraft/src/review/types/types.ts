/** Type safety: what a patch does to layouts of structures, values of enums and prototypes of functions, told with who is concerned and the way out. */
import type { Btf } from '@livegraft/binfmt/btf';
import type { TypeReview } from '../../bundle/review.ts';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-types.ts';
import { declarationsOf } from '../../patch/declarations.ts';
import { type ReviewSubject, replacedNames } from '../subject.ts';
import { constantFindings } from './constants.ts';
import { type ChangedLayout, changedLayouts, type Field, type Layout, type LayoutChange } from './layout.ts';
import { reviewPrototypes } from './prototypes.ts';
import { reviewShipped } from './shipped.ts';
import { sideBySide } from './side-by-side.ts';

interface TypedUnit {
  /** Path of the .c file. */
  readonly source: string;
  /** Types of the unit, as compiled from both sources. */
  readonly types: { readonly original: Btf; readonly patched: Btf };
  /** The original text of the .c file. */
  readonly text: string;
  /** Names of the functions that get replaced. */
  readonly replaced: ReadonlySet<string>;
  /** What the patch’s author vouches for: name → reason (LIVEGRAFT_IGNORE). */
  readonly accepted: ReadonlyMap<string, string>;
}

export interface TypesReviewed {
  readonly findings: readonly Diagnostic[];
  readonly types: readonly TypeReview[];
}

export async function reviewTypes(
  subject: Pick<ReviewSubject, 'kernel' | 'image' | 'units' | 'files'>,
): Promise<TypesReviewed> {
  const { units } = subject;
  const typed = units.flatMap((unit): TypedUnit[] =>
    unit.types === undefined
      ? []
      : [
          {
            source: unit.source,
            types: unit.types,
            text: unit.text.original,
            replaced: replacedNames(unit),
            accepted: new Map(unit.diff.author.ignored.map(({ name, reason }) => [name, reason])),
          },
        ],
  );
  const parts = [compareTypes(typed), await reviewPrototypes(subject)];
  const shipped = await reviewShipped(subject);
  const constants = constantFindings(...constantTexts(subject));
  return {
    findings: [...shipped, ...parts.flatMap(({ findings }) => findings), ...constants],
    types: parts.flatMap(({ types }) => types),
  };
}

function constantTexts({ files, units }: Pick<ReviewSubject, 'units' | 'files'>) {
  const ignored = new Map(
    units.map(({ source, diff }) => [source, new Set(diff.author.ignored.map(({ name }) => name))]),
  );
  const others = units.filter(({ source }) => !files.has(source));
  return [
    [...files.values()].map((file) => ({ ...file, ...optional(ignored.get(file.path)) })),
    others.map(({ source, text }) => ({ path: source, ...text })),
  ] as const;
}

function optional(ignored: ReadonlySet<string> | undefined) {
  return ignored === undefined ? {} : { ignored };
}

/** Of several units that share a changed type the first tells it. */
export function compareTypes(units: readonly TypedUnit[]): TypesReviewed {
  const told = new Set<string>();
  const findings: Diagnostic[] = [];
  const types: TypeReview[] = [];
  for (const unit of units) {
    for (const changed of changedLayouts(unit.types.original, unit.types.patched)) {
      const { kind, name } = changed.before;
      if (told.has(`${kind} ${name}`)) continue;
      told.add(`${kind} ${name}`);
      findings.push(...(kind === 'enum' ? enumFindings(unit, changed) : [layoutFinding(unit, changed)]));
      types.push(typeReviewOf(unit, changed));
    }
  }
  return { findings, types };
}

function layoutFinding({ source, text, replaced, accepted }: TypedUnit, changed: ChangedLayout): Diagnostic {
  const { kind, name } = changed.before;
  const reason = accepted.get(name);
  if (reason !== undefined) return say.layoutAccepted({ unit: source, kind, name, reason });
  const naming = functionsNaming(text, changed);
  const [added] = changed.changes.flatMap((change) => (change.what === 'added' ? [change.field] : []));
  return say.layoutChanged({
    unit: source,
    kind,
    name,
    fields: sideBySide(changed.before, changed.after, changed.changes),
    replaced: naming.filter((each) => replaced.has(each)),
    staying: naming.filter((each) => !replaced.has(each)),
    shadow: added === undefined ? '' : shadowMacro(name, added),
  });
}

/** New values that take no old number are how an enum grows. */
function enumFindings({ source }: TypedUnit, { before, after, changes }: ChangedLayout): Diagnostic[] {
  const taken = new Map(before.values.map(({ name, value }) => [value, name]));
  const values = changes.flatMap((change): string[] => {
    if (change.what === 'value-changed') return [`${change.name} is ${change.after}, was ${change.before}`];
    if (change.what !== 'value-added') return [];
    const old = taken.get(change.value);
    const stays = after.values.some((each) => each.name === old && each.value === change.value);
    return old === undefined || stays ? [] : [`${change.name} is ${change.value}, which was ${old}`];
  });
  return values.length === 0 ? [] : [say.enumChanged({ unit: source, name: before.name, values })];
}

/** Functions of the file whose text has the type's tag, or a field that changed, behind `.` or `->`. */
function functionsNaming(text: string, { before, changes }: ChangedLayout): string[] {
  const fields = new Set(changes.flatMap(fieldNames).flatMap((name) => name.split('.')));
  return declarationsOf(text)
    .filter(({ kind }) => kind === 'function')
    .filter(({ tokens }) =>
      tokens.some(({ text: word }, i) => {
        const last = tokens[i - 1]?.text;
        return (word === before.name && last === before.kind) || (fields.has(word) && (last === '.' || last === '->'));
      }),
    )
    .map(({ name }) => name);
}

function fieldNames(change: LayoutChange): string[] {
  if ('field' in change) return [change.field.name];
  return change.what === 'moved' || change.what === 'retyped' ? [change.after.name] : [];
}

/** For `review.json`: the fields that changed, both sides. */
function typeReviewOf(unit: TypedUnit, changed: ChangedLayout): TypeReview {
  const { before, after, changes } = changed;
  const names = new Set(changes.flatMap(fieldNames));
  const side = (layout: Layout): TypeReview['before'] => ({
    size: layout.size,
    fields: layout.fields
      .filter(({ name }) => names.has(name))
      .map(({ name, type, bitOffset, bits }) => ({
        offset: Math.floor(bitOffset / 8),
        bit: bitOffset % 8,
        bits,
        type,
        name,
      })),
    text:
      layout.kind === 'enum'
        ? layout.values.map(({ name, value }) => `${name} = ${value}`).join(', ')
        : `${layout.size} bytes, ${layout.fields.length} fields`,
  });
  const naming = functionsNaming(unit.text, changed);
  const accepted = unit.accepted.get(before.name);
  return {
    kind: before.kind,
    name: before.name,
    unit: unit.source,
    before: side(before),
    after: side(after),
    replaced: naming.filter((each) => unit.replaced.has(each)),
    staying: naming.filter((each) => !unit.replaced.has(each)),
    ...(accepted === undefined ? {} : { accepted }),
  };
}

function shadowMacro(name: string, { name: field, type }: Field): string {
  const plain = field.replaceAll('.', '_');
  return `LIVEGRAFT_SHADOW(${name}_${plain}, ${type}, NUMBER, NULL, NULL)`;
}
