/** A review for people: first the verdict, then the findings by weight, then each function. */
import type { Manifest } from '../bundle/manifest.ts';
import type { FunctionReview, NewFunctionReview, Review, SourcePair } from '../bundle/review.ts';
import { Exit } from '../diagnostics/diagnostic.ts';
import { align } from '../support/align.ts';
import { plural } from '../support/plural.ts';
import type { Session } from './command.ts';
import { formatDiagnostic } from './show-diagnostic.ts';
import { fold, wrap } from './text.ts';

type Screen = Pick<Session, 'print' | 'style' | 'verbose' | 'columns'>;

export function showReview(manifest: Manifest, review: Review, screen: Screen): void {
  const { print, style, columns } = screen;
  const width = widthOf(screen);
  const colour = review.verdict.state === 'clear' ? 'green' : 'yellow';
  print(style('bold', fold(`${manifest.name} for ${manifest.kernel.release}`, width)));
  print(style(colour, wrap(review.verdict.sentence, width)));
  for (const finding of review.findings) print(`\n${formatDiagnostic({ ...finding, exit: Exit.done }, width, style)}`);
  print(`\n${style('bold', `${plural(review.functions.length, 'function')} replaced`)}`);
  for (const each of review.functions) showFunction(each, manifest, screen);
  if (review.added.length > 0) {
    print(`\n${style('bold', 'New functions')}`);
    for (const each of review.added) showNew(each, screen);
  }
  if (review.data.length > 0) {
    print(`\n${style('bold', 'Data that comes along')}`);
    for (const { name, kind, size, initial, fate } of review.data) {
      print(fold(`  ${name}: ${kind}, ${plural(size, 'byte')}, at first ${initial}`, width));
      print(fold(`    ${fate}`, width));
    }
  }
  if (review.types.length > 0) {
    print(`\n${style('bold', 'Types that change')}`);
    for (const { kind, name, before, after, accepted } of review.types) {
      print(fold(`  ${kind} ${name}: ${before.text} → ${after.text}`, columns));
      if (accepted !== undefined) print(fold(`    the author says: ${accepted}`, width));
    }
  }
}

/** Text that is read in lines, not in columns, is no wider. */
function widthOf({ columns }: Screen): number {
  return Math.min(columns, 120);
}

function showFunction(review: FunctionReview, { functions }: Manifest, screen: Screen): void {
  const { print, style, verbose } = screen;
  const { name, object, unit, source, code, leaving } = review;
  const described = functions.find((each) => each.name === name && each.unit === unit && each.object === object);
  const differing = code.flatMap(({ rows }) => rows).filter(({ same }) => !same).length;
  const facts = [
    ...(described === undefined ? [] : [`${described.oldSize} → ${described.newSize} bytes`]),
    `${plural(differing, 'instruction')} ${differing === 1 ? 'differs' : 'differ'}`,
  ];
  const width = widthOf(screen);
  print(`\n${fold(`  ${style('bold', `${name}${inModule(object)}`)}: ${facts.join(', ')}`, width)}`);
  const lines = [described?.why, ...leaving.map(({ text }) => text), ...(verbose ? surroundings(review) : [])];
  for (const line of lines) if (line !== undefined) print(fold(`    ${line}`, width));
  if (verbose) {
    for (const pair of source) showSource(pair, screen);
    for (const part of code) showCode(part, screen);
  }
}

function showNew(review: NewFunctionReview, screen: Screen): void {
  const { name, object, size, usedBy, source, code } = review;
  const width = widthOf(screen);
  const users = usedBy.length === 0 ? 'the kernel calls it: a callback' : `used by ${usedBy.join(', ')}`;
  screen.print(fold(`  ${name}${inModule(object)}: ${plural(size, 'byte')}, ${users}`, width));
  if (!screen.verbose) return;
  for (const line of surroundings(review)) screen.print(fold(`    ${line}`, width));
  for (const pair of source) showSource(pair, screen);
  for (const part of code) showCode(part, screen);
}

/** What the new code refers to, by who resolves it, and what came along. */
function surroundings({ references, companions }: Pick<FunctionReview, 'references' | 'companions'>): string[] {
  const of = (how: FunctionReview['references'][number]['how'], words: string): string[] => {
    const named = references
      .filter((each) => each.how === how)
      .map(
        ({ name, object = 'vmlinux', position = 0 }) =>
          `${name}${position > 0 ? `,${position}` : ''}${inModule(object)}`,
      );
    return named.length === 0 ? [] : [`${words}: ${named.join(', ')}`];
  };
  const tables = companions.map(({ section, entries }) => `${section} (${entries})`);
  return [
    ...of('klp', 'resolved by the livepatch core'),
    ...of('export', 'resolved by the module loader'),
    ...of('own', 'in the livepatch itself'),
    ...(tables.length === 0 ? [] : [`came along: ${tables.join(', ')}`]),
  ];
}

function inModule(object: string): string {
  return object === 'vmlinux' ? '' : ` [${object}]`;
}

/** Lines that are the same, shown around those that differ. */
const context = 3;
/** A function that did not change itself is shown whole up to here. */
const short = 16;

function showSource({ kind, name, before, after }: SourcePair, screen: Screen): void {
  const one = after ?? before!;
  const [old, now] = [before?.lines ?? [], after?.lines ?? []];
  const line = (sign: string, number: number, text: string): string =>
    `    ${sign} ${String(number).padStart(5)}  ${text.replaceAll('\t', '        ')}`.trimEnd();
  const rows = align(old.length, now.length, (i, j) => old[i] === now[j]);
  const lines = rows.map(([i, j]): Line => {
    if (i !== undefined && j !== undefined && old[i] === now[j]) return line(' ', after!.line + j, now[j]!);
    return {
      before: i === undefined ? undefined : line('-', before!.line + i, old[i]!),
      after: j === undefined ? undefined : line('+', after!.line + j, now[j]!),
    };
  });
  const asBefore = lines.every((each) => typeof each === 'string');
  const note = after === undefined ? ' (gone)' : asBefore ? ' (its own text is the same)' : '';
  screen.print(screen.style('dim', fold(`    ${kind} ${name}: ${one.file}:${one.line}${note}`, screen.columns)));
  const whole = asBefore && lines.length <= short;
  const behind = behindComment(one.lines);
  const head = rows.findIndex(([i, j]) => (after === undefined ? i : j) === behind);
  showLines(lines, (n) => whole || n === head || n === head + 1, screen);
}

/** The comment above a declaration is not its head. */
function behindComment(lines: readonly string[]): number {
  return /^\s*\/\*/.test(lines[0] ?? '') ? lines.findIndex((line) => line.includes('*/')) + 1 : 0;
}

function showCode({ name, rows }: FunctionReview['code'][number], screen: Screen): void {
  const line = (sign: string, { offset, text }: NonNullable<(typeof rows)[number]['before']>): string =>
    `    ${sign} ${`+0x${offset.toString(16)}`.padStart(7)}  ${text}`;
  screen.print(screen.style('dim', `    machine code of ${name}`));
  const lines = rows.map(({ same, before, after }): Line => {
    if (same) return line(' ', after!);
    return { before: before && line('-', before), after: after && line('+', after) };
  });
  showLines(lines, () => false, screen);
}

/** The same on both sides, or what each side has in this place. */
type Line = string | { readonly before: string | undefined; readonly after: string | undefined };

/** As a unified diff has them: of what differs first the old, then the new; dots for what is left out. @param always what is not left out */
function showLines(lines: readonly Line[], always: (index: number) => boolean, { print, style }: Screen): void {
  const differs = lines.map((line) => typeof line !== 'string');
  let left = false;
  for (let n = 0; n < lines.length; n++) {
    const line = lines[n]!;
    if (typeof line !== 'string') {
      const end = differs.indexOf(false, n);
      const block = lines.slice(n, end < 0 ? lines.length : end).filter((each) => typeof each !== 'string');
      for (const { before } of block) if (before !== undefined) print(style('red', before));
      for (const { after } of block) if (after !== undefined) print(style('green', after));
      n += block.length - 1;
      left = false;
      continue;
    }
    const near = always(n) || differs.slice(Math.max(0, n - context), n + context + 1).includes(true);
    if (near) print(line);
    else if (!left) print(style('dim', '      …'));
    left = !near;
  }
}
