/** Against the programs that packed. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { guestFileUnreadable } from '../diagnostics/vm.ts';
import { decompress } from './decompress.ts';

const corrupt = (reason: string): LivegraftError =>
  new LivegraftError(guestFileUnreadable({ path: 'some.ko', reason }));

test.each(['xz', 'zstd', 'gzip', 'lz4'] as const)('%s: every byte, also a newline at the end', async (compression) => {
  // a signed module ends with one, and without it the kernel says that it is not signed
  const bytes = Buffer.from('~Module signature appended~\n');
  const packed = execFileSync(compression, ['-c'], { input: bytes });
  expect(Buffer.from(await decompress(packed, compression, corrupt)).equals(bytes)).toBe(true);
});

test('what is cut is told in the words of the program', async () => {
  const packed = execFileSync('xz', ['-c'], { input: 'text' });
  await expect(decompress(packed.subarray(0, -8), 'xz', corrupt)).rejects.toThrow(/xz says: /);
});
