/** Colours where a terminal shows them: never into a pipe, never with NO_COLOR (no-color.org) or TERM=dumb. */
import type { WriteStream } from 'node:tty';
import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];
export type Style = (format: Format, text: string) => string;

export function hasColour(stream: Pick<WriteStream, 'isTTY'>): boolean {
  const noColor = process.env['NO_COLOR'];
  return stream.isTTY && (noColor === undefined || noColor === '') && process.env['TERM'] !== 'dumb';
}

export function styleFor(stream: Pick<WriteStream, 'isTTY'>): Style {
  return hasColour(stream) ? (format, text) => styleText(format, text) : (_format, text) => text;
}
