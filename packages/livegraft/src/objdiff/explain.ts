/** The cause of a verdict in words. */
import type { FunctionVerdict } from './diff.ts';

/** One clause: "its code differs from f+0x4f on". Empty for unchanged, new and removed functions. */
export function explainCause({ name, why }: FunctionVerdict): string {
  if (why === undefined) return '';
  const { difference, part } = why;
  const at = `${part ?? name}+0x${difference.offset.toString(16)}`;
  switch (difference.what) {
    case 'bytes':
      return `its code differs from ${at} on`;
    case 'size':
      return part === undefined
        ? `its code is longer or shorter from ${at} on`
        : `its cold part ${part} comes, goes or has another size`;
    case 'section':
      return 'it moves to another section';
    case 'relocations':
      return `it refers to other things from ${at} on`;
    case 'reference':
      return `it refers to something else at ${at}`;
    case 'table':
      return `${difference.table} has another entry for ${at}`;
  }
}
