/** Decompression through the programs that every distribution has; JavaScript's own xz readers fail on the kernel's x86 filter. */

import type { Compression } from '@livegraft/binfmt/bzimage';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { programMissing } from '../diagnostics/support.ts';

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
  signal?.throwIfAborted();
  const { execa } = await import('execa');
  const result = await execa(compression, ['-d', '-c'], {
    input: bytes,
    encoding: 'buffer',
    stripFinalNewline: false,
    reject: false,
    env: { LC_ALL: 'C' },
    maxBuffer: 1024 * 1024 * 1024,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (result.isCanceled) signal?.throwIfAborted();
  if (result.code === 'ENOENT') throw new LivegraftError(programMissing({ program: compression }));
  if (result.exitCode !== 0) {
    const words = Buffer.from(result.stderr).toString().trim().split('\n').at(-1) ?? '';
    throw corrupt(`${compression} says: ${words || `exit code ${result.exitCode}`}`);
  }
  return result.stdout;
}

/** How a module file is compressed, by its name: `.ko.xz`, `.ko.zst`, `.ko.gz`; undefined for a plain `.ko`. */
export function compressionOfName(path: string): Compression | undefined {
  if (path.endsWith('.xz')) return 'xz';
  if (path.endsWith('.zst')) return 'zstd';
  if (path.endsWith('.gz')) return 'gzip';
  return undefined;
}
