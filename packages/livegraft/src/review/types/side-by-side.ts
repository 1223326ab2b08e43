/** Two layouts of one type beside each other, for messages. */
import type { Field, Layout, LayoutChange } from './layout.ts';

/** Fields that are the same and merely moved: so many are shown. */
const mostMoved = 4;

/** A line a field, both sides beside each other, in order of memory; those that merely moved in part; with the sizes below. */
export function sideBySide(
  before: Layout,
  after: Layout,
  changes: readonly LayoutChange[],
  heads: readonly [string, string] = ['before', 'after'],
): string[] {
  const rows = changes.flatMap((change): Row[] => {
    if (change.what === 'added') return [{ after: change.field }];
    if (change.what === 'removed') return [{ before: change.field }];
    if (change.what !== 'moved' && change.what !== 'retyped') return [];
    return [{ before: change.before, after: change.after, moved: change.what === 'moved' }];
  });
  rows.sort((one, other) => place(one) - place(other));
  const moved = rows.filter((row) => row.moved === true);
  const shown = rows.filter((row) => row.moved !== true || moved.indexOf(row) < mostMoved);
  const lines = shown.map(({ before, after }) => {
    // what the same words stand for: a typedef is another
    const isMeant = before?.text === after?.text && before?.identity !== after?.identity;
    const line = (field: Field | undefined): string =>
      field === undefined ? '' : `${fieldLine(field)}${isMeant ? ` = ${field.identity}` : ''}`;
    return [line(before), line(after)];
  });
  const hidden = moved.length - mostMoved;
  if (hidden > 0) lines.push([`… ${hidden} more`, 'moved as well']);
  lines.push([`size ${before.size}`, `size ${after.size}`]);
  const width = Math.max(...lines.map(([text]) => text!.length), heads[0].length);
  return [
    `${heads[0].padEnd(width)} | ${heads[1]}`,
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
