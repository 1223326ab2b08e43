/** Types that change: both sides, and who names them. */
import type { Review, TypeReview } from '../bundle/review.ts';
import { type Html, html } from './html.ts';
import { prose } from './words.ts';

export function typesSection(types: Review['types']): Html {
  const body = types.length === 0 ? html`<p>None that was compared.</p>` : types.map(typeHtml);
  return html`<section id="types" aria-labelledby="types-heading"><h2 id="types-heading">Types that change</h2>${body}</section>`;
}

function typeHtml({ kind, name, unit, before, after, replaced, staying, accepted }: TypeReview): Html {
  const names = (list: readonly string[]): Html =>
    html`${list.map((each, i) => html`${i > 0 && ', '}<code>${each}</code>`)}`;
  const fields = [...new Set([...before.fields, ...after.fields].map((field) => field.name))];
  const side = ({ fields: list }: TypeReview['before'], field: string): Html => {
    const found = list.find((each) => each.name === field);
    if (found === undefined) return html`<td class="none"></td>`;
    const bits = found.bit === 0 && found.bits % 8 === 0 ? '' : `.${found.bit} : ${found.bits} bits`;
    return html`<td><code>+${found.offset}${bits}  ${found.type}</code></td>`;
  };
  const table =
    fields.length > 0 &&
    html`<table class="list"><caption class="unseen">Fields of ${kind} ${name}</caption><thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr></thead><tbody>${fields.map((field) => html`<tr><th scope="row"><code>${field}</code></th>${side(before, field)}${side(after, field)}</tr>`)}</tbody></table>`;
  return html`<article class="type"><h3><code>${kind} ${name}</code></h3>
<dl class="facts"><dt>Before</dt><dd><code>${before.text}</code></dd><dt>After</dt><dd><code>${after.text}</code></dd><dt>File</dt><dd><code>${unit}</code></dd>
${replaced.length > 0 && html`<dt>Replaced, naming it</dt><dd>${names(replaced)}</dd>`}${staying.length > 0 && html`<dt>Staying, naming it</dt><dd>${names(staying)}</dd>`}
${accepted !== undefined && html`<dt>The author says</dt><dd>${prose(accepted)}</dd>`}</dl>${table}</article>`;
}
