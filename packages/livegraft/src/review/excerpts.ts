/** The lines that a finding points at, taken along: who reads a report need not have the source of that kernel at hand. */
import type { Diagnostic, Excerpt, Spot } from '../diagnostics/diagnostic.ts';
import { showBytes } from '../patch/text.ts';
import type { ReviewSubject } from './subject.ts';

/** Lines above and below the one that is pointed at. */
const around = 2;

export function withExcerpts(
  findings: readonly Diagnostic[],
  { files, units }: { readonly files: ReviewSubject['files']; readonly units: readonly Texts[] },
): Diagnostic[] {
  const split = new Map<string, readonly string[]>();
  const linesOf = ({ file, side }: Spot): readonly string[] => {
    const key = `${side} ${file}`;
    const known = split.get(key);
    if (known !== undefined) return known;
    const text = files.get(file) ?? units.find(({ source }) => source === file)?.text;
    const lines = text === undefined ? [] : text[side].split('\n');
    split.set(key, lines);
    return lines;
  };
  return findings.map((finding) => {
    if (finding.spots === undefined) return finding;
    const spots = finding.spots.map((spot): Spot => {
      const excerpt = excerptAt(linesOf(spot), spot.line);
      return excerpt === undefined ? spot : { ...spot, excerpt };
    });
    return { ...finding, spots };
  });
}

interface Texts {
  readonly source: string;
  readonly text: { readonly original: string; readonly patched: string };
}

/** Undefined where the file is not at hand. */
function excerptAt(lines: readonly string[], line: number): Excerpt | undefined {
  if (line < 1 || line > lines.length) return undefined;
  const first = Math.max(1, line - around);
  return { first, lines: lines.slice(first - 1, line + around).map(showBytes) };
}
