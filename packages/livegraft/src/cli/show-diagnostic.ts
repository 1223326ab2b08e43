/** Findings and errors as people read them: what, where, why, what to do. */
import type { WriteStream } from 'node:tty';
import { type Diagnostic, Exit, type ExitCode } from '../diagnostics/diagnostic.ts';
import type { Style } from './style.ts';
import { fold, wrap } from './text.ts';

const most = 20;

export function showDiagnostics(
  diagnostics: readonly Diagnostic[],
  stream: Pick<WriteStream, 'columns'> & { write(text: string): unknown },
  style: Style,
  all: boolean,
): void {
  const width = Math.min(stream.columns ?? 100, 120);
  const shown = all ? diagnostics : diagnostics.slice(0, most);
  for (const diagnostic of shown) stream.write(`${onScreen(formatDiagnostic(diagnostic, width, style), stream)}\n`);
  const hidden = diagnostics.length - shown.length;
  if (hidden > 0) stream.write(`… and ${hidden} more; --verbose shows all\n`);
}

/** A terminal would break what is laid out in the middle of words; a file or a pipe gets it as it is. */
function onScreen(text: string, { columns }: Pick<WriteStream, 'columns'>): string {
  if (columns === undefined) return text;
  return text
    .split('\n')
    .map((line) => fold(line, Math.max(20, columns)))
    .join('\n');
}

export function formatDiagnostic(
  { severity, code, exit, place, message, hint, spots = [] }: Diagnostic,
  width: number,
  style: Style,
): string {
  const label = labelOf(severity, exit, style);
  const head = `${label}${style('dim', `[${code}]`)}${place === undefined ? '' : ` ${style('bold', place)}`}`;
  const where = spots.map(
    ({ file, line, side, what }) =>
      `\n${fold(`    ${file}:${line}${side === 'original' ? ' (before)' : ''}  ${what}`, width)}`,
  );
  const body = `${wrap(message, width, '  ')}${style('dim', where.join(''))}`;
  const next = hint === undefined ? '' : `\n${style('green', wrap(`→ ${hint}`, width, '  '))}`;
  return `${fold(head, width)}\n${body}${next}`;
}

function labelOf(severity: Diagnostic['severity'], exit: ExitCode, style: Style): string {
  // it stops the work, but nothing is wrong
  if (severity === 'error' && exit === Exit.nothingToDo) return style(['cyan', 'bold'], 'nothing to do');
  if (severity === 'error') return style(['red', 'bold'], 'error');
  return severity === 'warning' ? style(['yellow', 'bold'], 'warning') : style('cyan', 'note');
}
