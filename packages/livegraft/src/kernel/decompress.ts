/** Decompression through the programs that every distribution has; JavaScript's own xz readers fail on the kernel's x86 filter. */

import type { Compression } from '@livegraft/binfmt/bzimage';
import type { LivegraftError } from '../diagnostics/diagnostic.ts';
import { tryRunForBytes } from '../support/exec.ts';

/**
 * Unpacks bytes.
 * @param corrupt how to state that the bytes are not what they should be; gets the program's last words
 */
export async function decompress(
  bytes: Uint8Array,
  compression: Compression,
  corrupt: (problem: string) => LivegraftError,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { exitCode, stdout, stderr } = await tryRunForBytes(compression, ['-d', '-c'], {
    input: bytes,
    ...(signal === undefined ? {} : { signal }),
  });
  if (exitCode !== 0) {
    const words = stderr.trim().split('\n').at(-1) ?? '';
    throw corrupt(`${compression} says: ${words || `exit code ${exitCode}`}`);
  }
  return stdout;
}

/** How a module file is compressed, by its name: `.ko.xz`, `.ko.zst`, `.ko.gz`; undefined for a plain `.ko`. */
export function compressionOfName(path: string): Compression | undefined {
  if (path.endsWith('.xz')) return 'xz';
  if (path.endsWith('.zst')) return 'zstd';
  if (path.endsWith('.gz')) return 'gzip';
  return undefined;
}
