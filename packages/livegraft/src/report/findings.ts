/** The findings by weight: what needs a person's judgement first, each with the places it is about. */
import type { StatedFinding } from '../bundle/finding.ts';
import type { Anchors } from './anchors.ts';
import { type Content, Html, html } from './html.ts';
import { inCode, prose } from './words.ts';

type Spot = NonNullable<StatedFinding['spots']>[number];

interface Numbered {
  readonly finding: StatedFinding;
  readonly anchor: string;
}

/** So many of one kind stand by themselves; more share a card. */
const few = 2;

export function findingsSection(findings: readonly StatedFinding[], anchors: Anchors): Html {
  const numbered = findings.map((finding, i): Numbered => ({ finding, anchor: findingAnchor(i) }));
  const group = (heading: string, of: readonly Numbered[]): Content =>
    of.length > 0 && html`<h3>${heading} (${of.length})</h3>${cards(of, anchors)}`;
  const nothing = findings.length === 0 && html`<p>Nothing was found.</p>`;
  return html`<section id="findings" aria-labelledby="findings-heading"><h2 id="findings-heading">Findings</h2>${nothing}
${group(
  'Needs your judgement',
  numbered.filter(({ finding }) => finding.severity !== 'note'),
)}
${group(
  'Worth knowing',
  numbered.filter(({ finding }) => finding.severity === 'note'),
)}
</section>`;
}

export function findingAnchor(index: number): string {
  return `finding-${index + 1}`;
}

/** In the order of the first of each kind. */
function cards(numbered: readonly Numbered[], anchors: Anchors): Html[] {
  const kinds = new Map<string, Numbered[]>();
  for (const each of numbered) kinds.set(each.finding.code, [...(kinds.get(each.finding.code) ?? []), each]);
  return [...kinds.values()].flatMap((same) =>
    same.length > few ? [sharedCard(same, anchors)] : same.map((each) => card(each, anchors)),
  );
}

function heading({ code, severity }: StatedFinding, more: Content): Html {
  const word = severity === 'note' ? 'note' : 'judge';
  return html`<h4><span class="badge ${severity}">${word}</span> <code>${code}</code>${more}</h4>`;
}

function card({ finding, anchor }: Numbered, anchors: Anchors): Html {
  const { severity, place, hint } = finding;
  return html`<article class="finding ${severity}" id="${anchor}">
${heading(finding, place !== undefined && html` <span class="place">${inCode(place)}</span>`)}
${bodyHtml(finding, anchors)}${hint !== undefined && hintHtml(hint)}
</article>`;
}

/** What to do is said once where it is the same for all. */
function sharedCard(same: readonly Numbered[], anchors: Anchors): Html {
  const [{ finding: first }] = same as [Numbered, ...Numbered[]];
  const hints = new Set(same.map(({ finding }) => finding.hint));
  const item = ({ finding, anchor }: Numbered): Html =>
    html`<li id="${anchor}">${finding.place !== undefined && html`<p>${inCode(finding.place)}</p>`}${bodyHtml(finding, anchors)}${hints.size > 1 && finding.hint !== undefined && hintHtml(finding.hint)}</li>`;
  return html`<article class="finding ${first.severity}">
${heading(first, ` in ${same.length} places`)}
${hints.size === 1 && first.hint !== undefined && hintHtml(first.hint)}
<details class="inner"${same.length <= mostOpen && new Html(' open')}><summary>${same.length} places</summary><ol>${same.map(item)}</ol></details>
</article>`;
}

/** Lists of so many are open when the report is. */
const mostOpen = 5;

function hintHtml(hint: string): Html {
  return html`<p class="hint"><strong>What to do:</strong> ${prose(hint)}</p>`;
}

function bodyHtml({ message, spots = [], functions = [] }: StatedFinding, anchors: Anchors): Html {
  const [first = '', ...more] = message.split('\n');
  return html`<p>${prose(first)}</p>${more.length > 0 && html`<pre>${more.join('\n')}</pre>`}
${spots.length > 0 && html`<ol class="spots">${spots.map((spot) => spotHtml(spot, anchors))}</ol>`}
${functions.length > 0 && html`<p class="about">${functions.length === 1 ? 'Function' : 'Functions'}: ${functions.map((name, i) => html`${i > 0 && ', '}${anchors.toFunction(name)}`)}</p>`}`;
}

function spotHtml({ file, line, side, what, excerpt }: Spot, anchors: Anchors): Html {
  const lines =
    excerpt !== undefined &&
    html`<pre class="excerpt">${excerpt.lines.map((text, i) => {
      const number = excerpt.first + i;
      const row = `${String(number).padStart(6)}  ${text}`;
      return number === line ? html`<mark>${row}</mark>\n` : html`${row}\n`;
    })}</pre>`;
  return html`<li>${anchors.toLine(file, line, side)} <span class="side">${side === 'original' ? 'before' : 'after'}</span>: ${prose(what)}${lines}</li>`;
}
