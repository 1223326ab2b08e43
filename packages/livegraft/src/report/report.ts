/** `report.html`: all that a reviewer needs, in one file that opens from disk: no request, no script but its own, both held by a content security policy. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { BundleParts } from '../bundle/contents.ts';
import type { Manifest } from '../bundle/manifest.ts';
import type { Review } from '../bundle/review.ts';
import { Anchors, functionAnchor } from './anchors.ts';
import { dataSection } from './data.ts';
import { evidenceSection } from './evidence.ts';
import { findingsSection } from './findings.ts';
import { functionsSection } from './functions.ts';
import { type Content, Html, html } from './html.ts';
import { glueSection, inputsSection, provenanceSection, signSection } from './inputs.ts';
import { patchSection } from './patch.ts';
import { typesSection } from './types.ts';
import { verdictHeader } from './verdict.ts';

export interface ReportContent extends BundleParts {
  readonly manifest: Manifest;
}

/** The same content gives the same text. */
export function reportHtml({ manifest, review, patches, glue, evidence }: ReportContent): string {
  const anchors = new Anchors(review);
  const patch = patchSection(patches, anchors);
  const [style, script] = [part('report.css'), part('report.js')];
  const policy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'; base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="livegraft ${manifest.livegraft}">
<title>Review of ${manifest.name} for ${manifest.kernel.release}</title>
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#findings">To the findings</a>
${verdictHeader(manifest, review, evidence)}
<div class="page">
${contents(review)}
<main>
${findingsSection(review.findings, anchors)}
${functionsSection(manifest, review, anchors)}
${dataSection(review.data)}
${typesSection(review.types)}
${patch}
${glueSection(glue)}
${provenanceSection(manifest)}
${evidenceSection(evidence, manifest.name)}
${inputsSection(manifest)}
${signSection(manifest)}
</main>
</div>
<script>${new Html(script)}</script>
</body>
</html>
`;
  return page.text;
}

function contents({ findings, functions, added, data, types }: Review): Html {
  const link = (to: string, text: Content): Html => html`<li><a href="#${to}">${text}</a></li>`;
  const list = (state: 'replaced' | 'new', of: readonly { readonly name: string }[]): Content =>
    of.map(
      ({ name }, i) => html`<li data-function><a href="#${functionAnchor(state, i)}"><code>${name}</code></a></li>`,
    );
  return html`<nav aria-label="Contents"><ul>
${link('findings', `Findings (${findings.length})`)}
<li><a href="#functions">Functions (${functions.length + added.length})</a><ul>${list('replaced', functions)}${list('new', added)}</ul></li>
${link('data', `Data (${data.length})`)}${link('types', `Types (${types.length})`)}${link('patch', 'Source patch')}${link('glue', 'Glue')}${link('provenance', 'Provenance')}${link('evidence', 'Evidence')}${link('inputs', 'Inputs')}${link('sign', 'Sign')}
</ul></nav>`;
}

function part(name: string): string {
  return readFileSync(new URL(`../../report/${name}`, import.meta.url), 'utf8');
}

/** As a policy names an inline script or style. */
function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
