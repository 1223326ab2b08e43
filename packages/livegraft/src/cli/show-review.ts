/** A review for people: first the verdict, then the findings by weight, then each function. */
import type { Manifest } from '../bundle/manifest.ts';
import type { FunctionReview, Review, SourcePair } from '../bundle/review.ts';
import { Exit } from '../diagnostics/diagnostic.ts';
import { align } from '../support/align.ts';
import type { Session } from './command.ts';
import { formatDiagnostic } from './show-diagnostic.ts';
import { fold, plural, table } from './text.ts';

type Screen = Pick<Session, 'print' | 'style' | 'verbose' | 'columns'>;

export function showReview(manifest: Manifest, review: Review, screen: Screen): void {
  const { print, style, columns } = screen;
  const width = Math.min(columns, 120);
  const colour = review.verdict.state === 'clear' ? 'green' : 'yellow';
  print(
    fold(
      `${style('bold', review.name)} for ${manifest.kernel.release}: ${style(colour, review.verdict.sentence)}`,
      width,
    ),
  );
  for (const finding of review.findings) print(`\n${formatDiagnostic({ ...finding, exit: Exit.done }, width, style)}`);
  print(`\n${style('bold', plural(review.functions.length, 'function'))} replaced`);
  for (const each of review.functions) showFunction(each, manifest, screen);
  if (review.data.length > 0) {
    print(`\n${style('bold', 'Data that comes along')}`);
    print(
      table(
        review.data.map(({ name, kind, size, initial, fate }) => [`  ${name}`, kind, `${size} bytes`, initial, fate]),
      ),
    );
  }
  if (review.types.length > 0) {
    print(`\n${style('bold', 'Types that change')}`);
    for (const { kind, name, before, after, accepted } of review.types) {
      print(`  ${kind} ${name}: ${before.text} → ${after.text}`);
      if (accepted !== undefined) print(`    the author says: ${accepted}`);
    }
  }
}

function showFunction(review: FunctionReview, { functions }: Manifest, screen: Screen): void {
  const { print, style, verbose, columns } = screen;
  const { name, object, unit, source, code, references, companions, leaving } = review;
  const described = functions.find((each) => each.name === name && each.unit === unit && each.object === object);
  const size = described === undefined ? '' : `  ${described.oldSize} → ${described.newSize} bytes`;
  const differing = code.flatMap(({ rows }) => rows).filter(({ same }) => !same).length;
  const where = object === 'vmlinux' ? '' : ` [${object}]`;
  print(`\n  ${style('bold', name)}${where}${size}, ${plural(differing, 'line')} of machine code differ`);
  const lines = [
    described?.why,
    ...leaving.map(({ text }) => text),
    `refers to ${count(references, 'klp')} by livepatch symbol, ${count(references, 'export')} exported, ${count(references, 'own')} of its own`,
    companions.length === 0
      ? undefined
      : `came along: ${companions.map(({ section, entries }) => `${section} (${entries})`).join(', ')}`,
  ];
  for (const line of lines) if (line !== undefined) print(fold(`    ${line}`, columns));
  if (verbose) {
    for (const pair of source) showSource(pair, screen);
    for (const part of code) showCode(part, screen);
  }
}

function count(references: FunctionReview['references'], how: string): number {
  return references.filter((each) => each.how === how).length;
}

function showSource({ kind, name, before, after }: SourcePair, { print, style }: Screen): void {
  const one = after ?? before!;
  print(style('dim', `    ${kind} ${name}: ${one.file}:${one.line}${after === undefined ? ' (gone)' : ''}`));
  const [old, now] = [before?.lines ?? [], after?.lines ?? []];
  const line = (sign: string, number: number, text: string): string =>
    `    ${sign} ${String(number).padStart(5)}  ${text.replaceAll('\t', '        ')}`.trimEnd();
  for (const [i, j] of align(old.length, now.length, (i, j) => old[i] === now[j])) {
    if (i !== undefined && j !== undefined && old[i] === now[j]) {
      print(line(' ', after!.line + j, now[j]!));
      continue;
    }
    if (i !== undefined) print(style('red', line('-', before!.line + i, old[i]!)));
    if (j !== undefined) print(style('green', line('+', after!.line + j, now[j]!)));
  }
}

/** Rows that are the same, shown around those that differ. */
const context = 2;

function showCode({ name, rows }: FunctionReview['code'][number], { print, style }: Screen): void {
  print(style('dim', `    machine code of ${name}`));
  const near = rows.map((_, i) => rows.slice(Math.max(0, i - context), i + context + 1).some(({ same }) => !same));
  for (const [i, { same, before, after }] of rows.entries()) {
    if (near[i] !== true) {
      if (near[i - 1] === true) print(style('dim', '      …'));
      continue;
    }
    const line = (sign: string, { offset, text }: NonNullable<typeof before>): string =>
      `    ${sign} ${`+0x${offset.toString(16)}`.padStart(7)}  ${text}`;
    if (same) print(style('dim', line(' ', after!)));
    else {
      if (before !== undefined) print(style('red', line('-', before)));
      if (after !== undefined) print(style('green', line('+', after)));
    }
  }
}
