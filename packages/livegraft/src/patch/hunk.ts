/** Reads one hunk of a unified diff: the `@@ -old,count +new,count @@` line and exactly as many lines as it counts. */
import type { Hunk, HunkLine } from './types.ts';

/** No source file has more lines; keeps sums exact. */
const most = 100_000_000;

/**
 * Reads the hunk whose `@@` line is `lines[at]`.
 * @param fail throws, given a line number (1-based) and the problem
 * @returns the hunk and the index of the line after it
 */
export function readHunk(
  lines: readonly string[],
  at: number,
  fail: (line: number, problem: string) => never,
): { hunk: Hunk; next: number } {
  const header = /^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@/.exec(lines[at]!);
  if (header === null) fail(at + 1, 'expected `@@ -line,count +line,count @@`');
  const [oldStart, oldCount, newStart, newCount] = [header[1]!, header[2] ?? '1', header[3]!, header[4] ?? '1'].map(
    Number,
  ) as [number, number, number, number];
  if (Math.max(oldStart, oldCount, newStart, newCount) > most) fail(at + 1, 'a line number that no source file has');
  if ((oldStart === 0 && oldCount > 0) || (newStart === 0 && newCount > 0)) fail(at + 1, 'lines are counted from 1');

  const read: HunkLine[] = [];
  let [oldLeft, newLeft] = [oldCount, newCount];
  let next = at + 1;
  while (oldLeft > 0 || newLeft > 0) {
    const line = lines[next];
    if (line === undefined)
      fail(
        next,
        `the patch ends inside the hunk of line ${at + 1}: ${oldLeft} old and ${newLeft} new lines are missing`,
      );
    // mail programs drop the single blank of an empty context line; git apply takes it so too
    const mark = line === '' || line === '\r' ? ' ' : line[0]!;
    if (mark !== ' ' && mark !== '+' && mark !== '-') {
      fail(
        next + 1,
        `a line of a hunk begins with a blank, + or -; here ${oldLeft} old and ${newLeft} new lines of the hunk are missing`,
      );
    }
    if ((mark !== '+' && oldLeft === 0) || (mark !== '-' && newLeft === 0)) {
      fail(next + 1, `the hunk does not follow its \`@@\` line: ${oldLeft} old and ${newLeft} new lines are left`);
    }
    if (mark !== '+') oldLeft--;
    if (mark !== '-') newLeft--;
    next++;
    const newline = !(lines[next]?.startsWith('\\ ') ?? false);
    if (!newline) next++;
    const text = line === '' || line === '\r' ? line : line.slice(1);
    read.push({ kind: mark === '+' ? 'add' : mark === '-' ? 'remove' : 'context', text, newline });
  }
  for (const side of ['add', 'remove'] as const) {
    const lastOfSide = read.findLastIndex((line) => line.kind === side || line.kind === 'context');
    if (read.some((line, i) => !line.newline && i < lastOfSide && (line.kind === side || line.kind === 'context'))) {
      fail(at + 1, '"\\ No newline at end of file" stands before the end of the file');
    }
  }
  return { hunk: { patchLine: at + 1, oldStart, oldCount, newStart, newCount, lines: read }, next };
}
