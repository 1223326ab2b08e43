/** Names of places in the report, so that one part can lead to another. */
import type { Review } from '../bundle/review.ts';
import { type Content, html } from './html.ts';

export class Anchors {
  readonly #functions = new Map<string, string[]>();
  readonly #lines = new Set<string>();

  constructor({ functions, added }: Pick<Review, 'functions' | 'added'>) {
    for (const [i, { name }] of functions.entries()) this.#add(name, functionAnchor('replaced', i));
    for (const [i, { name }] of added.entries()) this.#add(name, functionAnchor('new', i));
  }

  #add(name: string, anchor: string): void {
    this.#functions.set(name, [...(this.#functions.get(name) ?? []), anchor]);
  }

  /** Says that the patch shows this line. */
  addLine(anchor: string): void {
    this.#lines.add(anchor);
  }

  /** A link to each function of that name; the name alone where the livepatch has none. */
  toFunction(name: string): Content {
    const [first, ...more] = this.#functions.get(name) ?? [];
    if (first === undefined) return html`<code>${name}</code>`;
    const others = more.map((anchor, i) => html` <a href="#${anchor}">(${i + 2})</a>`);
    return html`<a href="#${first}"><code>${name}</code></a>${others}`;
  }

  /** `fs/ext4/mballoc.c:1453`, leading to the patch where that shows the line. */
  toLine(file: string, line: number, side: 'original' | 'patched'): Content {
    const anchor = lineAnchor(file, line, side);
    const text = `${file}:${line}`;
    return this.#lines.has(anchor) ? html`<a href="#${anchor}"><code>${text}</code></a>` : html`<code>${text}</code>`;
  }
}

export function functionAnchor(state: 'replaced' | 'new', index: number): string {
  return `${state}-${index + 1}`;
}

export function lineAnchor(file: string, line: number, side: 'original' | 'patched'): string {
  return `${side === 'original' ? 'before' : 'after'}-${file.replaceAll(/[^\w.-]/g, '_')}-${line}`;
}
