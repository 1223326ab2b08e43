/** Source patches for tests, made by git from edits of a kernel's own source, so that they fit whichever kernel the tests have. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Kernel } from '../kernel/types.ts';

/** `path` → what is replaced by what, once. Throws when the source has no such text. */
export type Edits = Readonly<Record<string, readonly [before: string, after: string]>>;

export function sourcePatch(kernel: Kernel, edits: Edits): string {
  const folder = mkdtempSync(join(tmpdir(), 'livegraft-patch-'));
  try {
    for (const [path, [before, after]] of Object.entries(edits)) {
      const text = readFileSync(join(kernel.paths.source, path), 'latin1');
      if (!text.includes(before)) throw new Error(`${path} of ${kernel.name} has no ${JSON.stringify(before)}`);
      write(join(folder, 'a', path), text);
      write(
        join(folder, 'b', path),
        text.replace(before, () => after),
      );
    }
    // exit code 1: there are differences
    return spawnSync('git', ['diff', '--no-index', '--no-prefix', 'a', 'b'], { cwd: folder, encoding: 'latin1' })
      .stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, 'latin1');
}

/** A command that runs the rest of its line with mounts of its own; undefined where this machine does not let us. */
export function privateMounts(script: string): string[] | undefined {
  const unshare = process.getuid?.() === 0 ? ['unshare', '-m'] : ['unshare', '-rm'];
  try {
    execFileSync(unshare[0]!, [...unshare.slice(1), 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return [...unshare, 'sh', '-c', `set -e; ${script}; exec "$@"`, 'sh'];
}
