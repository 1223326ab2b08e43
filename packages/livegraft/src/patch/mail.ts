/** What a patch mail (git format-patch, RFC 5322) says around the patch itself: the subject, and an encoding that would spoil the hunks. */
import { showBytes } from './text.ts';

export interface MailHeaders {
  readonly subject?: string;
  /** `Content-Transfer-Encoding`, lower case, with the line it stands on (1-based). */
  readonly encoding?: { readonly name: string; readonly line: number };
}

/** Reads the header lines at the top of a text; a text that does not begin with headers has none. */
export function readMailHeaders(lines: readonly string[]): MailHeaders {
  let subject: string | undefined;
  let encoding: MailHeaders['encoding'];
  let current = '';
  for (let i = 0; i < Math.min(lines.length, 200); i++) {
    const line = lines[i]!.replace(/\r$/, '');
    if (i === 0 && /^From [0-9a-f]{40} /.test(line)) continue;
    if (line === '') break;
    const header = /^([A-Za-z][A-Za-z0-9-]*):\s*(.*)$/.exec(line);
    if (header === null && !/^[ \t]/.test(line)) break;
    if (header === null) {
      if (current === 'subject') subject += ` ${line.trim()}`;
      continue;
    }
    current = header[1]!.toLowerCase();
    if (current === 'subject') subject = header[2]!;
    if (current === 'content-transfer-encoding') encoding = { name: header[2]!.trim().toLowerCase(), line: i + 1 };
  }
  const words =
    subject === undefined
      ? ''
      : decodeWords(showBytes(subject))
          .replace(/^(\s*\[[^\]]*\]\s*)+/, '')
          .trim();
  return { ...(words === '' ? {} : { subject: words }), ...(encoding === undefined ? {} : { encoding }) };
}

/** RFC 2047 encoded words in UTF-8; others stay as they are. */
function decodeWords(text: string): string {
  return text
    .replace(/(\?=)\s+(=\?)/g, '$1$2')
    .replace(/=\?utf-8\?([qb])\?([^?]*)\?=/gi, (_, kind: string, body: string) =>
      kind.toLowerCase() === 'b'
        ? Buffer.from(body, 'base64').toString('utf8')
        : showBytes(
            body
              .replaceAll('_', ' ')
              .replace(/=([0-9A-F]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
          ),
    );
}
