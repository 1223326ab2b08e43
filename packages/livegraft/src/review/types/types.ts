/** Type safety: what a patch does to layouts of structures, values of enums and prototypes of functions, told with who is concerned and the way out. */
import type { Btf } from '@livegraft/binfmt/btf';
import type { TypeReview } from '../../bundle/review.ts';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-types.ts';
import { declarationsOf } from '../../patch/declarations.ts';
import { type ReviewSubject, replacedNames } from '../subject.ts';
import { type ChangedLayout, changedLayouts, type Field, type Layout, type LayoutChange } from './layout.ts';
import { reviewPrototypes } from './prototypes.ts';

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
  return { findings: parts.flatMap(({ findings }) => findings), types: parts.flatMap(({ types }) => types) };
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
    fields: sideBySide(changed),
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

/** Fields that are the same and merely moved: so many are shown. */
const mostMoved = 4;

/** A line a field, both sides beside each other, in order of memory; those that merely moved in part; with the sizes below. */
function sideBySide({ before, after, changes }: ChangedLayout): string[] {
  const rows = changes.flatMap((change): Row[] => {
    if (change.what === 'added') return [{ after: change.field }];
    if (change.what === 'removed') return [{ before: change.field }];
    if (change.what !== 'moved' && change.what !== 'retyped') return [];
    return [{ before: change.before, after: change.after, moved: change.what === 'moved' }];
  });
  rows.sort((one, other) => place(one) - place(other));
  const moved = rows.filter((row) => row.moved === true);
  const shown = rows.filter((row) => row.moved !== true || moved.indexOf(row) < mostMoved);
  const lines = shown.map((row) => [row.before ? fieldLine(row.before) : '', row.after ? fieldLine(row.after) : '']);
  const hidden = moved.length - mostMoved;
  if (hidden > 0) lines.push([`… ${hidden} more`, 'moved as well']);
  lines.push([`size ${before.size}`, `size ${after.size}`]);
  const width = Math.max(...lines.map(([text]) => text!.length), 'before'.length);
  return [
    `${'before'.padEnd(width)} | after`,
    ...lines.map(([one, other]) => `${one!.padEnd(width)} | ${other}`.trimEnd()),
  ];
}

interface Row {
  readonly before?: Field;
  readonly after?: Field;
  readonly moved?: boolean;
}

/** What is gone stands where it was. */
function place({ before, after }: Row): number {
  return (after ?? before)!.bitOffset;
}

/** `+16 struct page *page`, `+8.3 unsigned int flag : 1` */
function fieldLine({ text, bitOffset, bits }: Field): string {
  const at = `+${Math.floor(bitOffset / 8)}`;
  return bitOffset % 8 === 0 && bits % 8 === 0 ? `${at} ${text}` : `${at}.${bitOffset % 8} ${text} : ${bits}`;
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
