/** The source of a function before and after, and of the changed line that is the reason where it stands elsewhere. */
import type { SourcePair } from '../../bundle/review.ts';
import type { Cause } from '../../objdiff/explain/cause.ts';
import { baseName } from '../../objdiff/names.ts';
import type { PatchedFile } from '../../patch/apply.ts';
import { type Declaration, declarationsOf } from '../../patch/declarations.ts';
import { showBytes } from '../../patch/text.ts';
import type { ReviewedUnit } from '../subject.ts';

type Excerpt = NonNullable<SourcePair['before']>;

/** @param files those that the patch changes */
export function sourceOf(
  { source: file, text }: Pick<ReviewedUnit, 'source' | 'text'>,
  files: ReadonlyMap<string, PatchedFile>,
  name: string,
  causes: readonly Cause[],
): SourcePair[] {
  const own = pairOf(file, text, ({ kind, names }) => kind === 'function' && names.includes(baseName(name)));
  const changed = causes.find((cause) => cause.kind === 'source');
  const elsewhere = changed && pairAround(changed, files);
  const isOwn = own?.kind === elsewhere?.kind && own?.name === elsewhere?.name;
  return [...(own === undefined ? [] : [own]), ...(elsewhere === undefined || isOwn ? [] : [elsewhere])];
}

/** The declaration that a changed line is part of. */
function pairAround(
  { file, line, gone }: Extract<Cause, { kind: 'source' }>,
  files: ReadonlyMap<string, PatchedFile>,
): SourcePair | undefined {
  const changed = files.get(file);
  if (changed === undefined) return undefined;
  const text = gone === true ? changed.original : changed.patched;
  const around = declarationsOf(text).find((each) => each.line <= line && line <= lastLine(each));
  return around && pairOf(file, changed, ({ kind, name }) => kind === around.kind && name === around.name);
}

function pairOf(
  file: string,
  { original, patched }: Pick<PatchedFile, 'original' | 'patched'>,
  isIt: (declaration: Declaration) => boolean,
): SourcePair | undefined {
  const [before, after] = [declarationsOf(original).find(isIt), declarationsOf(patched).find(isIt)];
  const one = after ?? before;
  if (one === undefined) return undefined;
  return {
    kind: one.kind,
    name: one.name,
    ...(before === undefined ? {} : { before: excerptOf(file, original, before) }),
    ...(after === undefined ? {} : { after: excerptOf(file, patched, after) }),
  };
}

/** With the comment right above it. */
function excerptOf(file: string, text: string, declaration: Declaration): Excerpt {
  const lines = text.split('\n');
  let first = declaration.line;
  if (/\*\/\s*$/.test(lines[first - 2] ?? '')) {
    let above = first - 1;
    while (above > 1 && !lines[above - 1]!.includes('/*')) above--;
    if (/^\s*\/\*/.test(lines[above - 1]!)) first = above;
  }
  return { file, line: first, lines: lines.slice(first - 1, lastLine(declaration)).map(showBytes) };
}

function lastLine({ tokens, line }: Declaration): number {
  return tokens.at(-1)?.line ?? line;
}
