/** Why a function is in: the chain from it back to a changed line, each link leading to what it names. */
import type { Manifest } from '../bundle/manifest.ts';
import { type Cause, sayCauses } from '../objdiff/explain/cause.ts';
import type { Anchors } from './anchors.ts';
import { type Content, type Html, html } from './html.ts';

type Described = Pick<Manifest['functions'][number], 'why' | 'causes'>;

export function causeChain({ why, causes = [] }: Described, anchors: Anchors): Content {
  if (causes.length === 0) return why;
  return html`<ol class="chain">${causes.map((cause) => html`<li>${linkHtml(cause as Cause, anchors)}</li>`)}</ol>`;
}

function linkHtml(cause: Cause, anchors: Anchors): Html {
  const text = sayCauses([cause]);
  if (cause.kind === 'source') {
    const side = cause.gone === true ? 'original' : 'patched';
    return around(text, `${cause.file}:${cause.line}`, anchors.toLine(cause.file, cause.line, side));
  }
  if (!('name' in cause) || cause.name === undefined) return html`${text}`;
  const call = `${cause.name}()`;
  return around(text, text.includes(call) ? call : cause.name, anchors.toFunction(cause.name));
}

/** The text with `what` exchanged for a link. */
function around(text: string, what: string, link: Content): Html {
  const at = text.indexOf(what);
  if (at < 0) return html`${text}`;
  return html`${text.slice(0, at)}${link}${text.slice(at + what.length)}`;
}
