/** The source patches as they were given, each line a place that other parts lead to. */
import type { BundledPatch } from '../bundle/contents.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { parsePatch } from '../patch/parse.ts';
import { showBytes } from '../patch/text.ts';
import type { Hunk, PatchFile } from '../patch/types.ts';
import { type Anchors, lineAnchor } from './anchors.ts';
import { Html, html } from './html.ts';

/** Remembers in `anchors` which lines it shows: it is drawn first. */
export function patchSection(patches: readonly BundledPatch[], anchors: Anchors): Html {
  return html`<section id="patch" aria-labelledby="patch-heading"><h2 id="patch-heading">Source patch</h2>${patches.map((patch) => patchHtml(patch, anchors))}</section>`;
}

function patchHtml({ name, bytes }: BundledPatch, anchors: Anchors): Html {
  const files = parsed(name, bytes);
  const text = Buffer.from(bytes).toString();
  // what cannot be read as a patch stands there as it is
  if (files === undefined) return html`<h3><code>${name}</code></h3><pre>${text}</pre>`;
  const head = text.split('\n', (files[0]?.patchLine ?? 1) - 1);
  while (/^(|---)$/.test(head.at(-1) ?? 'end')) head.pop();
  const words = head.join('\n');
  return html`<h3><code>${name}</code></h3>${words !== '' && html`<pre class="words">${words}</pre>`}${files.map((file) => fileHtml(file, anchors))}`;
}

function parsed(name: string, bytes: Uint8Array): readonly PatchFile[] | undefined {
  try {
    return parsePatch(name, bytes).files;
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    return undefined;
  }
}

function fileHtml({ path, oldPath, change, hunks }: PatchFile, anchors: Anchors): Html {
  const how = change === 'modify' ? '' : change === 'rename' ? `, renamed from ${oldPath ?? ''}` : `, ${change}d`;
  return html`<table class="patch"><caption>${path}${how}</caption><colgroup><col class="at"><col class="at"><col class="sign"><col></colgroup><thead><tr><th scope="col"><span class="unseen">Line before</span></th><th scope="col"><span class="unseen">Line after</span></th><th scope="col"><span class="unseen">Sign</span></th><th scope="col"><span class="unseen">Text</span></th></tr></thead>${hunks.map((hunk) => hunkHtml(path, hunk, anchors))}</table>`;
}

const signs = { context: ' ', add: '+', remove: '−' } as const;

function hunkHtml(file: string, { oldStart, newStart, oldCount, newCount, lines }: Hunk, anchors: Anchors): Html {
  let [old, now] = [oldStart, newStart];
  const rows = lines.map(({ kind, text }): Html => {
    const before = kind === 'add' ? undefined : old++;
    const after = kind === 'remove' ? undefined : now++;
    const ids: string[] = [];
    if (before !== undefined) ids.push(lineAnchor(file, before, 'original'));
    if (after !== undefined) ids.push(lineAnchor(file, after, 'patched'));
    for (const id of ids) anchors.addLine(id);
    const [first, second] = ids;
    const numbered = (number: number | undefined, id: string | undefined): Html =>
      number === undefined
        ? html`<td class="at"></td>`
        : html`<td class="at"${id !== undefined && new Html(` id="${id}"`)}>${number}</td>`;
    return html`<tr class="${kind}">${numbered(before, first)}${numbered(after, before === undefined ? first : second)}<td class="sign">${signs[kind]}</td><td class="text">${showBytes(text)}</td></tr>`;
  });
  return html`<tbody><tr class="hunk"><td colspan="4">Lines ${oldStart} to ${oldStart + Math.max(oldCount - 1, 0)} before, ${newStart} to ${newStart + Math.max(newCount - 1, 0)} after</td></tr>${rows}</tbody>`;
}
