/** Words around values: counts, sizes, names of C in a sentence. */
import { type Content, type Html, html } from './html.ts';

export function inCode(text: string): Html {
  return html`<code>${text}</code>`;
}

/** A sentence of a finding: `name()`, file names and what stands in grave accents as code, the rest as it is. */
export function prose(text: string): Content {
  return text
    .split(
      /(`[^`]+`|\b[A-Za-z_][\w.]*\(\)|\b[\w-]+(?:\/[\w.-]+)+\.[chS](?::\d+)?|-E[A-Z]{2,}\b|\b[a-z]\w*->\w[\w.>-]*)/,
    )
    .map((part, i): Content => (i % 2 === 0 ? part : inCode(part.replace(/^`(.+)`$/, '$1'))));
}

/** `1.4 s`, `0.2 s`. */
export function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}
