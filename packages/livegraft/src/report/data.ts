/** Data that comes along, with its first value and its fate. */
import type { Review } from '../bundle/review.ts';
import { type Html, html } from './html.ts';

export function dataSection(data: Review['data']): Html {
  const row = (each: Review['data'][number]): Html =>
    html`<tr><th scope="row"><code>${each.name}</code></th><td>${each.kind}${each.function !== undefined && html` of <code>${each.function}</code>`}</td><td><code>${each.unit}</code></td><td class="number">${each.size}</td><td><code>${each.initial}</code></td><td>${each.fate}</td></tr>`;
  const table =
    data.length === 0
      ? html`<p>None: no variable comes along.</p>`
      : html`<div class="wide" role="region" aria-label="Data that comes along" tabindex="0"><table class="list"><thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">File</th><th scope="col" class="number">Bytes</th><th scope="col">First value</th><th scope="col">What becomes of it</th></tr></thead><tbody>${data.map(row)}</tbody></table></div>`;
  return html`<section id="data" aria-labelledby="data-heading"><h2 id="data-heading">Data that comes along</h2>${table}</section>`;
}
