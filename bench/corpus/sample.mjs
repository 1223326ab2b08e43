// Which patches are built, in which order: a folder's, or what real-fixes.sh makes of two versions of a kernel source.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/**
 * `count` patches of a folder in an order that only seed and names decide, so that a smaller sample is the beginning of a larger one.
 * @returns {{ name: string, path: string, sha256: string }[]}
 */
export function sample(folder, { count, seed }) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.patch'))
    .map((name) => ({ name, rank: sha256(`${seed} ${name}`) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => {
      const path = join(folder, name);
      return { name: name.replace(/\.patch$/, ''), path, sha256: sha256(readFileSync(path)) };
    });
}

/** Runs the maker, MAKER FROM TO FOLDER, unless the folder is there; it appears whole. What the maker says goes to our error output. */
export async function makePatches({ maker, from, to, folder, signal }) {
  if (existsSync(folder)) return;
  signal.throwIfAborted();
  const unfinished = `${folder}.tmp`;
  rmSync(unfinished, { recursive: true, force: true });
  const child = spawn(maker, [from, to, unfinished], { stdio: ['ignore', 2, 2], detached: true });
  const stop = () => process.kill(-child.pid, 'SIGTERM');
  signal.addEventListener('abort', stop);
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).finally(() => signal.removeEventListener('abort', stop));
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`${maker} ${from} ${to} ended with exit code ${code}`);
  renameSync(unfinished, folder);
}

/** A module name for a patch, at most 55 characters, unique and the same every time. */
export function bundleName(name) {
  const plain = name.toLowerCase().replace(/[^a-z0-9]+/g, '_');
  return `corpus_${sha256(name).slice(0, 6)}_${plain.slice(-40).replace(/^_+/, '')}`;
}
