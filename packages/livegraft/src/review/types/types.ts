/** Type safety: what a patch does to the layout of structures and to the values of enums, told with who is concerned and the way out. */
import type { Btf } from '@livegraft/binfmt/btf';
import type { TypeReview } from '../../bundle/review.ts';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-types.ts';
import { declarationsOf } from '../../patch/declarations.ts';
import { type ReviewSubject, replacedNames } from '../subject.ts';
import { type ChangedLayout, changedLayouts, type Field, type Layout, type LayoutChange } from './layout.ts';

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

export function reviewTypes({ units }: ReviewSubject): TypesReviewed {
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
  return { findings: compareTypes(typed), types: [] };
}

/** Of several units that share a changed type the first tells it. */
export function compareTypes(units: readonly TypedUnit[]): Diagnostic[] {
  const told = new Set<string>();
  return units.flatMap((unit) =>
    changedLayouts(unit.types.original, unit.types.patched).flatMap((changed) => {
      const { kind, name } = changed.before;
      if (told.has(`${kind} ${name}`)) return [];
      told.add(`${kind} ${name}`);
      return kind === 'enum' ? enumFindings(unit, changed) : [layoutFinding(unit, changed)];
    }),
  );
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
    switch (change.what) {
      case 'value-changed':
        return [`${change.name} is ${change.after}, was ${change.before}`];
      case 'value-added': {
        const old = taken.get(change.value);
        const stays = after.values.some((each) => each.name === old && each.value === change.value);
        return old === undefined || stays ? [] : [`${change.name} is ${change.value}, which was ${old}`];
      }
      default:
        return [];
    }
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

/** More fields than these are not shown. */
const most = 24;

/** The fields from the first to the last that changed, both sides in order of memory; with the sizes below. */
function sideBySide({ before, after, changes }: ChangedLayout): string[] {
  const changed = new Set(changes.flatMap(fieldNames));
  const rows = (layout: Layout): string[] => layout.fields.filter(({ name }) => changed.has(name)).map(fieldLine);
  const [left, right] = [rows(before), rows(after)];
  const lines = Array.from({ length: Math.min(most, Math.max(left.length, right.length)) }, (_, i) => [
    left[i] ?? '',
    right[i] ?? '',
  ]);
  if (Math.max(left.length, right.length) > most) lines.push(['…', '…']);
  lines.push([`size ${before.size}`, `size ${after.size}`]);
  const width = Math.max(...lines.map(([text]) => text!.length));
  return [
    `${'before'.padEnd(width)} | after`,
    ...lines.map(([one, other]) => `${one!.padEnd(width)} | ${other}`.trimEnd()),
  ];
}

/** `+16 struct page *page`, `+8.3 unsigned int flag : 1` */
function fieldLine({ name, type, bitOffset, bits }: Field): string {
  const at = `+${Math.floor(bitOffset / 8)}`;
  return bitOffset % 8 === 0 && bits % 8 === 0
    ? `${at} ${type} ${name}`
    : `${at}.${bitOffset % 8} ${type} ${name} : ${bits}`;
}

function shadowMacro(name: string, { name: field, type }: Field): string {
  const plain = field.replaceAll('.', '_');
  return `LIVEGRAFT_SHADOW(${name}_${plain}, ${type}, NUMBER, NULL, NULL)`;
}
