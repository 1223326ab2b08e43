/** Numbers and paragraphs for people. */

/** 1.4 GB, 31 MB, 612 kB: decimal, as disks and networks count. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 0.4 s, 12 s, 3 min 05 s. */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** Breaks a text into lines of at most `width` characters; words longer than that stay whole. Line breaks in the text stay. */
export function wrap(text: string, width: number, indent = ''): string {
  return text
    .split('\n')
    .map((line) => wrapLine(line, Math.max(20, width - indent.length), indent))
    .join('\n');
}

function wrapLine(line: string, width: number, indent: string): string {
  // what is laid out already (code, columns) is left alone
  if (/^\s|\s{2}/.test(line)) return indent + line;
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ')) {
    if (current !== '' && current.length + 1 + word.length > width) {
      lines.push(current);
      current = word;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  lines.push(current);
  return lines.map((each) => indent + each).join('\n');
}

/**
 * Breaks a line for a terminal at its spaces, colours left as they are. What follows goes under the last column of a table
 * where that leaves room, else a little to the right. Words that are too long stay whole, so that they can be copied.
 */
export function fold(line: string, width: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  const tokens = line.match(/\x1b\[[\d;]*m| +|[^ \x1b]+|\x1b/g) ?? [];
  const plain = tokens.filter((token) => !isColour(token)).join('');
  if (plain.length <= width) return line;
  const start = plain.search(/\S|$/);
  const column = [...plain.matchAll(/\S {2,}(?=\S)/g)].at(-1);
  const last = column === undefined ? start : column.index + column[0].length;
  // a column that its own words do not fit in is none
  const longest = Math.max(
    ...plain
      .slice(last)
      .split(/ +/)
      .map((word) => word.length),
  );
  const isColumn = last > start && last <= width / 2 && last + longest <= width;
  const hang = isColumn ? last : Math.min(start + 4, width >> 1);
  let [text, at, spaces] = ['', 0, ''];
  for (const token of tokens) {
    if (isColour(token)) text += token;
    else if (token.startsWith(' ')) spaces += token;
    else {
      const breaks = spaces !== '' && at > hang && at + spaces.length + token.length > width;
      const before = breaks ? `\n${' '.repeat(hang)}` : spaces;
      at = (breaks ? hang : at + spaces.length) + token.length;
      text += before + token;
      spaces = '';
    }
  }
  return text;
}

function isColour(token: string): boolean {
  return token.length > 1 && token.startsWith('\x1b');
}

/** Cuts a line to fit, marking the cut. */
export function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Rows as columns, the last one ragged. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
