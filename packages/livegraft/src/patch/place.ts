/**
 * Finds where each hunk of a file belongs, without fuzz: every context and removed line must stand there as the patch has it.
 * A hunk may have moved as a whole, but only to the one place where it fits; what fits nowhere or at several places is refused.
 */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { hunkAmbiguous, hunkApplied, hunkFails, hunkMoved, hunkWithoutContext } from '../diagnostics/patch.ts';
import { showPath } from './paths.ts';
import { type Line, showBytes } from './text.ts';
import type { Hunk, HunkLine, PatchFile } from './types.ts';

/** A file that this many hunks do not fit is another file: the rest is not searched for. */
const mostFailures = 20;

/** How many lines of a hunk are looked at to find the place it resembles most: enough for a message. */
const resemblance = 60;

export interface PlacedHunk {
  readonly hunk: Hunk;
  /** Index of the first old line (0-based) in the text before this file change. */
  readonly start: number;
}

export interface Placement {
  readonly placed: readonly PlacedHunk[];
  readonly findings: readonly Diagnostic[];
}

/** Places all hunks of a change to an existing file; `findings` has errors for those that do not fit, the first twenty. */
export function placeHunks(patch: string, file: PatchFile, lines: readonly Line[]): Placement {
  const placed: PlacedHunk[] = [];
  const findings: Diagnostic[] = [];
  let floor = 0;
  let drift = 0;
  for (const [i, hunk] of file.hunks.entries()) {
    if (findings.filter((finding) => finding.severity === 'error').length >= mostFailures) break;
    const here = { patch, path: showPath(file.path), hunk: i + 1, line: hunk.patchLine };
    const old = hunk.lines.filter((line) => line.kind !== 'add');
    const { atStart, atEnd } = anchors(hunk);
    // an empty old side says "after line oldStart", others "from line oldStart"
    const stated = hunk.oldCount === 0 ? hunk.oldStart : hunk.oldStart - 1;
    const last = lines.length - old.length;
    const candidates = atStart ? (atEnd && last !== 0 ? [] : [0]) : atEnd ? [last] : undefined;
    const fits = (at: number): boolean => at >= floor && at <= last && fitsAt(old, lines, at);
    if (candidates !== undefined && !candidates.some(fits) && (old.length === 0 ? lines.length > 0 : fits(stated))) {
      findings.push(hunkWithoutContext(here));
      continue;
    }
    let start: number | undefined;
    if (drift === 0 && (candidates ?? [stated]).includes(stated) && fits(stated)) start = stated;
    else {
      const places = (candidates ?? range(floor, last)).filter(fits);
      if (places.length > 1) {
        findings.push(hunkAmbiguous({ ...here, places: places.map((at) => at + 1) }));
        continue;
      }
      start = places[0];
    }
    if (start === undefined) {
      findings.push(explain(here, hunk, old, lines, stated + drift));
      continue;
    }
    drift = start - stated;
    if (drift !== 0) findings.push(hunkMoved({ ...here, at: start + 1, offset: drift }));
    placed.push({ hunk, start });
    floor = start + old.length;
  }
  return { placed, findings };
}

/**
 * A hunk made with context has fewer lines of it before (after) the change only where the file begins (ends): so git apply,
 * too, takes a hunk of line 1 only at the file's beginning, and one without trailing context only at its end.
 */
function anchors(hunk: Hunk): { atStart: boolean; atEnd: boolean } {
  const leading = hunk.lines[0]?.kind === 'context';
  const trailing = hunk.lines.at(-1)?.kind === 'context';
  return { atStart: hunk.oldStart <= 1 || !leading, atEnd: !trailing };
}

function fitsAt(old: readonly HunkLine[], lines: readonly Line[], at: number): boolean {
  return old.every((line, i) => same(line, lines[at + i]));
}

function same(line: Line, other: Line | undefined): boolean {
  return other !== undefined && line.text === other.text && line.newline === other.newline;
}

function* numbers(from: number, to: number): Generator<number> {
  for (let i = from; i <= to; i++) yield i;
}
function range(from: number, to: number): number[] {
  return [...numbers(from, to)];
}

type Here = { patch: string; path: string; hunk: number; line: number };

/** Why a hunk fits nowhere: it is there already, or the first line that differs at the place that fits best. */
function explain(here: Here, hunk: Hunk, old: readonly HunkLine[], lines: readonly Line[], near: number): Diagnostic {
  const result = hunk.lines.filter((line) => line.kind !== 'remove');
  const changes = hunk.lines.some((line) => line.kind !== 'context');
  if (changes && result.length > 0) {
    const there = range(0, lines.length - result.length).find((at) => fitsAt(result, lines, at));
    if (there !== undefined) return hunkApplied({ ...here, at: there + 1 });
  }
  let best = { at: Math.max(0, Math.min(near, lines.length)), score: 0 };
  for (const at of range(0, lines.length - 1)) {
    let score = 0;
    for (const [i, line] of old.slice(0, resemblance).entries())
      if (line.text.trim() !== '' && line.text === lines[at + i]?.text) score++;
    if (score > best.score || (score === best.score && Math.abs(at - near) < Math.abs(best.at - near)))
      best = { at, score };
  }
  const wrong = Math.max(
    0,
    old.findIndex((line, i) => !same(line, lines[best.at + i])),
  );
  const found = lines[best.at + wrong];
  return hunkFails({
    ...here,
    at: best.at + wrong + 1,
    line: patchLineOf(hunk, wrong),
    expected: shown(old[wrong]) ?? '',
    found: shown(found),
  });
}

/** The patch's line that holds the hunk's n-th old line. */
function patchLineOf(hunk: Hunk, n: number): number {
  let seen = -1;
  let line = hunk.patchLine;
  for (const one of hunk.lines) {
    line++;
    if (one.kind !== 'add' && ++seen === n) return line;
    if (!one.newline) line++;
  }
  return hunk.patchLine;
}

function shown(line: Line | undefined): string | undefined {
  if (line === undefined) return undefined;
  const text = showBytes(line.text);
  return `${text.length > 160 ? `${text.slice(0, 160)} …` : text}${line.newline ? '' : ' (no newline at end of file)'}`;
}

/** The text after the change, and for each of its lines the index of the old line it is (undefined for added ones). */
export function applyPlaced(
  lines: readonly Line[],
  placed: readonly PlacedHunk[],
): { lines: Line[]; origins: (number | undefined)[] } {
  const result: Line[] = [];
  const origins: (number | undefined)[] = [];
  let at = 0;
  const keep = (to: number): void => {
    for (; at < to; at++) {
      result.push(lines[at]!);
      origins.push(at);
    }
  };
  for (const { hunk, start } of placed) {
    keep(start);
    for (const line of hunk.lines) {
      if (line.kind === 'context') keep(at + 1);
      else if (line.kind === 'remove') at++;
      else {
        result.push({ text: line.text, newline: line.newline });
        origins.push(undefined);
      }
    }
  }
  keep(lines.length);
  return { lines: result, origins };
}

/** The same hunks with the line numbers of the places that were found, so that nothing is left to search for. */
export function renumber(placed: readonly PlacedHunk[]): Hunk[] {
  let shift = 0;
  return placed.map(({ hunk, start }) => {
    const oldStart = hunk.oldCount === 0 ? start : start + 1;
    const newAt = start + shift;
    shift += hunk.newCount - hunk.oldCount;
    return { ...hunk, oldStart, newStart: hunk.newCount === 0 ? newAt : newAt + 1 };
  });
}
