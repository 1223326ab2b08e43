/** Each function: why it is in, both sides' source and machine code, what it refers to, what came along, what was found. */

import type { Manifest } from '../bundle/manifest.ts';
import type { CodePart, Companion, NewFunctionReview, Review, SourcePair, SymbolUse } from '../bundle/review.ts';
import { type Align, align } from '../support/align.ts';
import { plural } from '../support/plural.ts';
import type { Anchors } from './anchors.ts';
import { functionAnchor } from './anchors.ts';
import { causeChain } from './causes.ts';
import { type ComparedRow, comparison } from './comparison.ts';
import { findingAnchor } from './findings.ts';
import { type Content, Html, html } from './html.ts';
import { prose } from './words.ts';

/** So many are open when the report is. */
const mostOpen = 3;

export function functionsSection(manifest: Manifest, review: Review, anchors: Anchors): Html {
  const open = review.functions.length <= mostOpen;
  const replaced = review.functions.map((each, i) => replacedHtml(each, i, manifest, review, anchors, open));
  const added = review.added.map((each, i) => newHtml(each, i, review, anchors));
  return html`<section id="functions" aria-labelledby="functions-heading"><h2 id="functions-heading">Functions</h2>
<div class="tools" role="group" aria-label="Functions"><label>Filter <input type="search" id="filter" autocomplete="off" spellcheck="false" placeholder="name, file, object"></label>
<button type="button" id="open-all">Open all</button> <button type="button" id="close-all">Close all</button>
<label><input type="checkbox" id="show-equal"> Equal code, too</label> <label><input type="checkbox" id="show-bytes"> Bytes</label>
<output id="filtered" for="filter"></output></div>
<h3>Replaced (${review.functions.length})</h3>
${review.functions.length === 0 && html`<p>None: the livepatch consists of callbacks.</p>`}${replaced}
${review.added.length > 0 && html`<h3>New (${review.added.length})</h3>${added}`}
</section>`;
}

function replacedHtml(
  each: Review['functions'][number],
  index: number,
  manifest: Manifest,
  review: Review,
  anchors: Anchors,
  open: boolean,
): Html {
  const { name, object, unit, source, code, references, companions, leaving } = each;
  const described = manifest.functions[index];
  const own = described?.name === name && described.unit === unit ? described : undefined;
  const differing = code.flatMap(({ rows }) => rows).filter(({ same }) => !same).length;
  const sizes = own === undefined ? '' : `${own.oldSize} → ${own.newSize} bytes`;
  const found = review.findings.flatMap((finding, i) =>
    finding.functions?.includes(name) === true ? [{ finding, i }] : [],
  );
  const judged = found.filter(({ finding }) => finding.severity !== 'note').length;
  const proved = manifest.units.find(({ source: path }) => path === unit)?.proved;
  return functionHtml({
    anchor: functionAnchor('replaced', index),
    name,
    object,
    open,
    summary: html`${sizes}, ${plural(differing, 'line')} of machine code ${differing === 1 ? 'differs' : 'differ'}${judged > 0 && html` <span class="badge warning">${judged} to judge</span>`}`,
    body: html`<dl class="facts">
<dt>Why</dt><dd>${own === undefined ? '' : causeChain(own, anchors)}</dd>
<dt>Where</dt><dd><code>${unit}</code> in <code>${object}</code>, ${own === undefined || own.sympos === 0 ? 'the only one of its name' : `number ${own.sympos} of its name (sympos)`}</dd>
<dt>Provenance</dt><dd>The rebuilt original equals the shipped code${proved !== undefined && `, as do ${proved.equal} of the ${proved.compared} functions of the file`} (<a href="#provenance">all</a>)</dd>
${leaving.length > 0 && html`<dt>To leave</dt><dd>${leaving.map(({ text }) => html`<p>${prose(text)}</p>`)}</dd>`}
${found.length > 0 && html`<dt>Findings</dt><dd>${found.map(({ finding, i }, n) => html`${n > 0 && ', '}<a href="#${findingAnchor(i)}"><code>${finding.code}</code></a>`)}</dd>`}
</dl>`,
    source,
    code,
    references,
    companions,
    anchors,
  });
}

function newHtml(each: NewFunctionReview, index: number, review: Review, anchors: Anchors): Html {
  const { name, object, unit, size, usedBy, source, code, references, companions } = each;
  const users = usedBy.map((user, i) => html`${i > 0 && ', '}${anchors.toFunction(user)}`);
  const found = review.findings.flatMap((finding, i) =>
    finding.functions?.includes(name) === true
      ? [html` <a href="#${findingAnchor(i)}"><code>${finding.code}</code></a>`]
      : [],
  );
  return functionHtml({
    anchor: functionAnchor('new', index),
    name,
    object,
    open: false,
    summary: html`new, ${size} bytes`,
    body: html`<dl class="facts"><dt>Why</dt><dd>${usedBy.length === 0 ? 'the kernel calls it: a callback' : html`used by ${users}`}</dd>
<dt>Where</dt><dd><code>${unit}</code> for <code>${object}</code></dd>${found.length > 0 && html`<dt>Findings</dt><dd>${found}</dd>`}</dl>`,
    source,
    code,
    references,
    companions,
    anchors,
  });
}

interface Shown {
  readonly anchor: string;
  readonly name: string;
  readonly object: string;
  readonly open: boolean;
  readonly summary: Content;
  readonly body: Content;
  readonly source: readonly SourcePair[];
  readonly code: readonly CodePart[];
  readonly references: readonly SymbolUse[];
  readonly companions: readonly Companion[];
  readonly anchors: Anchors;
}

function functionHtml({ anchor, name, object, open, summary, body, source, code, ...rest }: Shown): Html {
  const { references, companions, anchors } = rest;
  return html`<section class="function" id="${anchor}" aria-label="${name}" data-words="${[name, object, ...source.flatMap(({ after, before }) => [(after ?? before)!.file])].join(' ')}">
<details${open && new Html(' open')}><summary><h4><code>${name}</code></h4>${object !== 'vmlinux' && html` <span class="object">[${object}]</span>`} <span class="short">${summary}</span></summary>
${body}
${source.map(sourceHtml)}
${code.map(codeHtml)}
${references.length > 0 && html`<details class="inner"><summary>Refers to ${plural(references.length, 'symbol')}</summary>${referencesHtml(references, anchors)}</details>`}
${companions.length > 0 && html`<details class="inner"><summary>Came along: ${plural(companions.length, 'section')}</summary>${companionsHtml(companions)}</details>`}
</details></section>`;
}

function sourceHtml({ kind, name, before, after }: SourcePair): Html {
  const [old, now] = [before?.lines ?? [], after?.lines ?? []];
  const rows = align(old.length, now.length, (i, j) => old[i] === now[j]).map(
    ([i, j]: Align): ComparedRow => ({
      same: i !== undefined && j !== undefined && old[i] === now[j],
      ...(i === undefined ? {} : { before: { at: String(before!.line + i), text: old[i]! } }),
      ...(j === undefined ? {} : { after: { at: String(after!.line + j), text: now[j]! } }),
    }),
  );
  const caption = `Source of ${kind === 'function' ? `${name}()` : `the ${kind} ${name}`}, ${(after ?? before)!.file}`;
  return comparison(caption, 'line', 'Line', rows);
}

function codeHtml({ name, rows }: CodePart): Html {
  const cell = ({ offset, bytes, text }: NonNullable<CodePart['rows'][number]['before']>) => ({
    at: `+0x${offset.toString(16)}`,
    text,
    bytes,
  });
  const compared = rows.map(
    ({ same, before, after }): ComparedRow => ({
      same,
      ...(before === undefined ? {} : { before: cell(before) }),
      ...(after === undefined ? {} : { after: cell(after) }),
    }),
  );
  return comparison(`Machine code of ${name}`, 'instruction', 'Offset', compared);
}

const how: Readonly<Record<SymbolUse['how'], string>> = {
  klp: 'livepatch symbol: resolved by the livepatch core, by name and position',
  export: 'export: resolved by the module loader, its version checked',
  own: 'in the livepatch',
};

function referencesHtml(references: readonly SymbolUse[], anchors: Anchors): Html {
  const row = ({ name, how: way, object, position, uses }: SymbolUse): Html =>
    html`<tr><td>${way === 'own' ? anchors.toFunction(name) : html`<code>${name}</code>`}</td><td>${how[way]}</td><td>${object !== undefined && html`<code>${object}</code>`}</td><td class="number">${position === undefined ? '' : position === 0 ? 'the only one' : position}</td><td class="number">${uses}</td></tr>`;
  return html`<table class="list"><caption class="unseen">What the new code refers to</caption><thead><tr><th scope="col">Symbol</th><th scope="col">How</th><th scope="col">Object</th><th scope="col" class="number">Position</th><th scope="col" class="number">Uses</th></tr></thead><tbody>${references.map(row)}</tbody></table>`;
}

function companionsHtml(companions: readonly Companion[]): Html {
  const row = ({ section, entries, bytes }: Companion): Html =>
    html`<tr><td><code>${section}</code></td><td class="number">${entries}</td><td class="number">${bytes}</td></tr>`;
  return html`<table class="list"><caption class="unseen">Sections and tables that came along</caption><thead><tr><th scope="col">Section</th><th scope="col" class="number">Entries</th><th scope="col" class="number">Bytes</th></tr></thead><tbody>${companions.map(row)}</tbody></table>`;
}
