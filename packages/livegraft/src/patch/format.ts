/** Writes a parsed file change back as a plain git patch, so that `git apply` sees what livegraft understood and nothing else. */
import type { Hunk, PatchFile } from './types.ts';

/** One file's part as a byte string, with the given hunks in place of its own. */
export function formatFile(file: PatchFile, hunks: readonly Hunk[] = file.hunks): string {
  const from = quote(`a/${file.oldPath ?? file.path}`);
  const to = quote(`b/${file.path}`);
  const header = [`diff --git ${from} ${to}`];
  if (file.change === 'create') header.push('new file mode 100644');
  if (file.change === 'delete') header.push('deleted file mode 100644');
  if (file.change === 'rename') header.push(`rename from ${quote(file.oldPath!)}`, `rename to ${quote(file.path)}`);
  if (hunks.length > 0) {
    header.push(
      `--- ${file.change === 'create' ? '/dev/null' : from}`,
      `+++ ${file.change === 'delete' ? '/dev/null' : to}`,
    );
  }
  return `${header.join('\n')}\n${hunks.map(formatHunk).join('')}`;
}

const marks = { context: ' ', add: '+', remove: '-' } as const;

function formatHunk(hunk: Hunk): string {
  const lines = hunk.lines.map(
    (line) => `${marks[line.kind]}${line.text}\n${line.newline ? '' : '\\ No newline at end of file\n'}`,
  );
  return `@@ -${hunk.oldStart},${hunk.oldCount} +${hunk.newStart},${hunk.newCount} @@\n${lines.join('')}`;
}

/** Always quoted where a name has anything but plain characters, as git's quote.c does. */
function quote(name: string): string {
  if (/^[A-Za-z0-9_./+,=@%~-]+$/.test(name)) return name;
  const body = name.replace(/[^ -~]|["\\]/g, (c) => {
    if (c === '"' || c === '\\') return `\\${c}`;
    return `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`;
  });
  return `"${body}"`;
}
