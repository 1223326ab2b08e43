/** Two texts beside each other, as a table that becomes one column where there is no room for two. */
import { type Content, Html, html } from './html.ts';

export interface ComparedRow {
  readonly same: boolean;
  readonly before?: Cell;
  readonly after?: Cell;
}

export interface Cell {
  /** Line number or offset. */
  readonly at: string;
  readonly text: string;
  /** Bytes of machine code. */
  readonly bytes?: string;
}

/** Equal rows shown around those that differ. */
const context = 3;
/** Fewer hidden rows than these are not worth a button. */
const fewest = 4;

/**
 * @param caption says what it is, for those who cannot see where it stands
 * @param unit what a row is, for counting: `line`, `instruction`
 * @param at heading of the first column
 */
export function comparison(caption: string, unit: string, at: string, rows: readonly ComparedRow[]): Html {
  if (rows.every(({ before }) => before === undefined)) return listing(caption, at, rows);
  const near = markNear(rows);
  const groups: Content[] = [];
  for (let from = 0; from < rows.length; ) {
    let to = from + 1;
    while (to < rows.length && near[to] === near[from]) to++;
    const group = rows.slice(from, to);
    const body = group.map(rowHtml);
    if (near[from] === true || group.length < fewest) groups.push(html`<tbody>${body}</tbody>`);
    else
      groups.push(
        html`<tbody class="more"><tr><td colspan="6"><button type="button" aria-expanded="false">${group.length} equal ${unit}s</button></td></tr></tbody><tbody class="equal">${body}</tbody>`,
      );
    from = to;
  }
  const side = (name: string): Html =>
    html`<th scope="col" class="at">${at}<span class="unseen"> ${name.toLowerCase()}</span></th><th scope="col" class="sign"><span class="unseen">Sign ${name.toLowerCase()}</span></th><th scope="col">${name}</th>`;
  return html`<table class="compare"><caption>${caption}</caption><colgroup>${columns}${columns}</colgroup><thead><tr>${side('Before')}${side('After')}</tr></thead>${groups}</table>`;
}

/** One side only: what is new has nothing beside it. */
function listing(caption: string, at: string, rows: readonly ComparedRow[]): Html {
  const body = rows.map(({ after }) => html`<tr>${cellHtml(after, '+', after!.text)}</tr>`);
  return html`<table class="single"><caption>${caption}</caption><colgroup>${columns}</colgroup><thead><tr><th scope="col" class="at">${at}</th><th scope="col"><span class="unseen">Sign</span></th><th scope="col">New</th></tr></thead><tbody>${body}</tbody></table>`;
}

function markNear(rows: readonly ComparedRow[]): boolean[] {
  const near = new Array<boolean>(rows.length).fill(false);
  for (const [i, { same }] of rows.entries())
    if (!same) near.fill(true, Math.max(0, i - context), Math.min(rows.length, i + context + 1));
  return near;
}

const columns = new Html('<col class="at"><col class="sign"><col>');

function rowHtml({ same, before, after }: ComparedRow): Html {
  if (same) return html`<tr>${cellHtml(before!, ' ', before!.text)}${cellHtml(after!, ' ', after!.text)}</tr>`;
  const [left, right] =
    before !== undefined && after !== undefined
      ? markDifference(before.text, after.text)
      : [before?.text ?? '', after?.text ?? ''];
  return html`<tr class="differs">${cellHtml(before, '−', left)}${cellHtml(after, '+', right)}</tr>`;
}

function cellHtml(cell: Cell | undefined, sign: string, text: Content): Html {
  if (cell === undefined) return nothing;
  const bytes = cell.bytes !== undefined && html`<span class="bytes">${cell.bytes}</span>`;
  return html`<td class="at">${cell.at}</td><td class="sign">${sign}</td><td class="text">${bytes}${text}</td>`;
}

const nothing = new Html('<td class="none" colspan="3"></td>');

/** What two lines do not share at their begin and end, marked, in whole words. */
export function markDifference(before: string, after: string): readonly [Content, Content] {
  const [one, other] = [words(before), words(after)];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  // nothing in common but blanks: a mark of everything says nothing
  const shared = [...one.slice(0, start), ...one.slice(one.length - end)].join('').trim();
  if (shared === '') return [before, after];
  const marked = (list: readonly string[]): Content => {
    const middle = list.slice(start, list.length - end).join('');
    const [head, tail] = [list.slice(0, start).join(''), list.slice(list.length - end).join('')];
    return middle === '' ? `${head}${tail}` : html`${head}<mark>${middle}</mark>${tail}`;
  };
  return [marked(one), marked(other)];
}

function words(text: string): string[] {
  return text.match(/\w+|\s+|[^\w\s]/g) ?? [];
}
