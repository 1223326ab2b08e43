/** HTML as a value: whatever goes into a template is escaped, unless it is HTML already. */

export class Html {
  readonly text: string;

  /** @param text is taken as it is */
  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand between the parts of a template; lists are put one behind the other, undefined and false are nothing. */
export type Content = Html | string | number | undefined | false | readonly Content[];

export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  let text = parts[0]!;
  for (const [i, content] of contents.entries()) text += written(content) + parts[i + 1]!;
  return new Html(text);
}

function written(content: Content): string {
  if (content === undefined || content === false) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'object') return content.map(written).join('');
  return escaped(String(content));
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * For text and attributes. Characters that show nothing, or turn the direction of what follows (CVE-2021-42574), are written out as `⟨U+202E⟩`:
 * a reviewer must see what the compiler saw.
 */
export function escaped(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => entities[character]!)
    .replaceAll(/[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|[^\P{Cc}\n\t]/gu, shownCode);
}

function shownCode(character: string): string {
  return `⟨U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}
