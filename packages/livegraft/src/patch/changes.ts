/** Which declarations a patch changes, by comparing a file's before and after: comments, blanks and line numbers are no change. */
import { type Declaration, declarationsOf } from './declarations.ts';

export interface ChangedDeclaration {
  readonly file: string;
  /** The first changed line in the patched file; of what is gone, its line in the original. */
  readonly line: number;
  readonly how: 'changed' | 'new' | 'gone';
  readonly kind: Declaration['kind'];
  readonly name: string;
  readonly names: readonly string[];
}

export function changedDeclarations(file: string, original: string, patched: string): readonly ChangedDeclaration[] {
  const before = group(declarationsOf(original));
  const after = group(declarationsOf(patched));
  const changes: ChangedDeclaration[] = [];
  const say = (how: ChangedDeclaration['how'], { kind, name, names }: Declaration, line: number): void => {
    changes.push({ file, line, how, kind, name, names });
  };
  for (const [key, versions] of after) {
    const earlier = before.get(key);
    const texts = new Set((earlier ?? []).map(textOf));
    versions.forEach((version, i) => {
      if (texts.has(textOf(version))) return;
      if (earlier === undefined) say('new', version, version.line);
      else say('changed', version, firstChange(earlier[Math.min(i, earlier.length - 1)]!, version));
    });
  }
  for (const [key, versions] of before) {
    const texts = new Set((after.get(key) ?? []).map(textOf));
    const known = changes.some((change) => key === keyOf(change));
    for (const version of versions) if (!known && !texts.has(textOf(version))) say('gone', version, version.line);
  }
  return changes;
}

/** Whether what other code can know of a file is the same: everything but the bodies of functions. */
export function sameInterface(original: string, patched: string): boolean {
  const outside = (text: string): string =>
    declarationsOf(text)
      .map(({ kind, tokens }) => {
        const texts = tokens.map((token) => token.text);
        return (kind === 'function' ? texts.slice(0, texts.indexOf('{')) : texts).join(' ');
      })
      .join('\n');
  return outside(original) === outside(patched);
}

function group(declarations: readonly Declaration[]): Map<string, Declaration[]> {
  const found = new Map<string, Declaration[]>();
  for (const each of declarations) {
    // what has no name is known by its text alone
    const key = each.name === '' ? `${keyOf(each)} ${textOf(each)}` : keyOf(each);
    const list = found.get(key);
    if (list === undefined) found.set(key, [each]);
    else list.push(each);
  }
  return found;
}

function keyOf({ kind, name }: Pick<Declaration, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

function textOf({ tokens }: Declaration): string {
  return tokens.map((token) => token.text).join(' ');
}

/** The line of the first token that is another one. */
function firstChange(before: Declaration, after: Declaration): number {
  const index = after.tokens.findIndex((token, i) => token.text !== before.tokens[i]?.text);
  return (index < 0 ? after.tokens.at(-1)! : after.tokens[index]!).line;
}
