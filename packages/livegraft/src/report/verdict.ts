/** The head of the report: the verdict in a sentence, and what it is about at a glance. */

import type { Evidence } from '../bundle/evidence.ts';
import type { Manifest } from '../bundle/manifest.ts';
import type { Review } from '../bundle/review.ts';
import { plural } from '../support/plural.ts';
import { type Content, type Html, html } from './html.ts';

export function verdictHeader(manifest: Manifest, review: Review, evidence: Evidence | undefined): Html {
  const { name, kernel, patches, cves, replace, targets, functions, module } = manifest;
  const { state, sentence } = review.verdict;
  const subjects = patches.map(({ subject, name: file }) => subject ?? file);
  const where = targets.filter((target) => target.functions > 0);
  return html`<header>
<p class="what">Livepatch for <strong>${kernel.release}</strong></p>
<h1>${name}</h1>
<ul class="subjects">${subjects.map((subject) => html`<li>${subject}</li>`)}</ul>
${cves.length > 0 && html`<p class="cves">${cves.join(', ')}</p>`}
<p class="verdict ${state}">${sentence}</p>
<p class="caveat">${
    state === 'clear'
      ? 'That is not the same as safe: what the fix means to the data that exists is for you to judge.'
      : 'What follows was found mechanically. What the fix means to the data that exists is for you to judge.'
  }</p>
${trial(evidence)}
<dl class="glance">
<div><dt>Replaces</dt><dd>${plural(functions.length, 'function')}${where.length > 0 && html` in ${where.map(({ object }, i) => html`${i > 0 && ', '}<code>${object}</code>`)}`}</dd></div>
<div><dt>Brings</dt><dd>${plural(review.added.length, 'new function')}, ${plural(review.data.length, 'variable')}</dd></div>
<div><dt>Module</dt><dd>${module.size} bytes${replace && ', replaces all earlier livepatches'}</dd></div>
<div><dt>sha256</dt><dd><code class="hash">${module.sha256}</code></dd></div>
</dl>
</header>`;
}

function trial(evidence: Evidence | undefined): Content {
  if (evidence === undefined)
    return html`<p class="trial open">Not tried in a virtual machine yet (<a href="#evidence">how</a>).</p>`;
  const { verdict, why, kernel } = evidence;
  const good = verdict === 'passed';
  return html`<p class="trial ${good ? 'good' : 'bad'}">Trial on ${kernel.release} in a virtual machine: <strong>${verdict}</strong>, ${why} (<a href="#evidence">evidence</a>).</p>`;
}
