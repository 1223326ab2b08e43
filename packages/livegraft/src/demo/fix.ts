/** Derives the demo's fix as a distribution would ship it: the difference of one folder between two source packages. */
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Options } from '../kernel/options.ts';
import { unpackSourceFolder } from '../kernel/other-source.ts';
import { cacheDir } from '../kernel/places.ts';
import type { Kernel } from '../kernel/types.ts';
import { tryRun } from '../support/exec.ts';
import { withTemporaryFolder } from '../support/files.ts';

/** The patch from the kernel's own source to version VERSION of its source package, below one folder of it. */
export async function deriveFix(
  kernel: Kernel,
  version: string,
  folder: string,
  options: Options,
): Promise<Uint8Array> {
  return withTemporaryFolder(join(cacheDir(), 'scratch'), async (scratch) => {
    const name = `linux-source-${/^\d+\.\d+/.exec(version)![0]}`;
    await unpackSourceFolder(name, version, folder, join(scratch, 'fixed'), options);
    const old = join(scratch, 'a', folder);
    const fixed = join(scratch, 'b', folder);
    await mkdir(join(old, '..'), { recursive: true });
    await mkdir(join(fixed, '..'), { recursive: true });
    await symlink(join(kernel.paths.source, folder), old);
    await symlink(join(scratch, 'fixed/source', folder), fixed);
    // exit code 1: they differ
    const made = await tryRun('diff', ['-ruN', `a/${folder}/`, `b/${folder}/`], { cwd: scratch });
    // neither the command nor the files' times belong to the change
    return Buffer.from(
      made.stdout.replace(/^diff -ruN .*\n/gm, '').replace(/^(--- |\+\+\+ )([^\t\n]+)\t.*$/gm, '$1$2'),
      'utf8',
    );
  });
}
