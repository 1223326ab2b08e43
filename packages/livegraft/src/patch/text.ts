/** Byte strings (one character per byte) and their lines. */

/** A byte string of these bytes. */
export function byteString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The bytes of a byte string. */
export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** A byte string as a person reads it: UTF-8, with U+FFFD for what is none. */
export function showBytes(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

export interface Line {
  readonly text: string;
  /** False only for a last line without "\n". */
  readonly newline: boolean;
}

/** A text's lines; the empty text has none. */
export function splitLines(text: string): Line[] {
  const parts = text.split('\n');
  const last = parts.pop()!;
  const lines = parts.map((part) => ({ text: part, newline: true }));
  if (last !== '') lines.push({ text: last, newline: false });
  return lines;
}

export function joinLines(lines: readonly Line[]): string {
  return lines.map((line) => (line.newline ? `${line.text}\n` : line.text)).join('');
}
