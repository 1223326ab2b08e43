/** The verdicts of a comparison for people: a line each, and below it the first instructions that differ, as `diff` marks them. */
import type { Style } from './style.ts';

/** As `livegraft diff` and the manifest have it. */
interface Listing {
  readonly original: readonly Line[];
  readonly patched: readonly Line[];
  readonly beside?: { readonly name: string; readonly original: string; readonly patched: string } | undefined;
}

interface Line {
  readonly offset: number;
  readonly bytes: string;
  readonly text: string;
  readonly differs?: true | undefined;
}

/**
 * `  +0x4c  call   foo` for what both have, `- ` and `+ ` for the original and the patched side.
 */
export function showDifference(
  { original, patched, beside }: Listing,
  { style, bytes }: { readonly style: Style; readonly bytes: boolean },
): string[] {
  const all = [...original, ...patched];
  const offsetWidth = Math.max(0, ...all.map((each) => hex(each.offset).length));
  const bytesWidth = bytes ? Math.max(0, ...all.map((each) => each.bytes.length)) + 2 : 0;
  const line = (mark: string, { offset, bytes: code, text }: Line): string =>
    `    ${mark} ${hex(offset).padStart(offsetWidth)}  ${code.slice(0, bytesWidth).padEnd(bytesWidth)}${text}`;
  const differs = (each: Line): boolean => each.differs === true;
  const start = patched.findIndex(differs);
  const common = patched.filter((each) => !differs(each));
  const ahead = start < 0 ? common : patched.slice(0, start);
  const lines = ahead.map((each) => style('dim', line(' ', each)));
  lines.push(...original.filter(differs).map((each) => style('red', line('-', each))));
  lines.push(...patched.filter(differs).map((each) => style('green', line('+', each))));
  if (beside !== undefined) {
    lines.push(style('red', `    - ${beside.name}: ${beside.original}`));
    lines.push(style('green', `    + ${beside.name}: ${beside.patched}`));
  }
  lines.push(...common.slice(ahead.length).map((each) => style('dim', line(' ', each))));
  return lines;
}

function hex(offset: number): string {
  return `+0x${offset.toString(16)}`;
}
