// The Node that the package brings along: the version and checksum of runtime.json, from the registry that npm is configured for.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

export const runtime = JSON.parse(readFileSync(new URL('runtime.json', import.meta.url), 'utf8'));

/**
 * The archive as npm published it, by path; kept in livegraft's cache.
 * Throws when it is not the one that runtime.json states.
 */
export function fetchRuntime() {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'livegraft/packaging');
  const path = join(cache, `${runtime.package}-${runtime.version}.tgz`);
  if (!existsSync(path)) {
    mkdirSync(cache, { recursive: true });
    const folder = mkdtempSync(join(cache, '.tmp-'));
    try {
      const options = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] };
      const said = execFileSync('npm', ['pack', `${runtime.package}@${runtime.version}`, '--json'], options);
      renameSync(join(folder, JSON.parse(said)[0].filename), path);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const found = `sha512-${createHash('sha512').update(readFileSync(path)).digest('base64')}`;
  if (found !== runtime.integrity) {
    rmSync(path);
    throw new Error(`${path} is not what packaging/runtime.json states: ${found}, expected ${runtime.integrity}`);
  }
  return path;
}

/** Puts the program and its licence into a folder: `node`, `LICENSE`. */
export function unpackRuntime(folder) {
  const members = ['package/bin/node', 'package/LICENSE'];
  execFileSync('tar', ['-xf', fetchRuntime(), '-C', folder, '--no-same-owner', '--transform=s,.*/,,', ...members]);
}
