/**
 * Compiled objects by the content of everything that went into them, in two steps as in ccache: the command and the source give
 * the lists of files that earlier compilations read; the list whose files are all unchanged gives the object.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeFileWhole } from '../support/files.ts';

/** Lists kept for one command and source: more than this many are old. */
const listsKept = 8;

interface Manifest {
  readonly schema: 1;
  readonly lists: readonly { readonly files: readonly (readonly [string, string])[]; readonly object: string }[];
}

/** `$XDG_CACHE_HOME/livegraft/objects`. */
export function objectCacheFolder(): string {
  const { XDG_CACHE_HOME } = process.env;
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'livegraft', 'objects');
}

export interface ObjectCache {
  /** The object an earlier compilation with this key left, if all files it read are as they were. */
  find(key: string): Promise<Uint8Array | undefined>;
  /** @param files what the compilation read, in the names that `resolve` understands */
  keep(key: string, files: readonly string[], object: Uint8Array): Promise<void>;
}

/** @param resolve turns a stored name (`@source/…`, `@build/…`) into a path */
export function openObjectCache(folder: string, resolve: (name: string) => string): ObjectCache {
  const manifestPath = (key: string): string => join(folder, key.slice(0, 2), `${key}.json`);
  const objectPath = (hash: string): string => join(folder, hash.slice(0, 2), `${hash}.o`);
  const readManifest = (key: string): Promise<Manifest> =>
    readFile(manifestPath(key), 'utf8')
      .then((text) => JSON.parse(text) as Manifest)
      .then((manifest) =>
        manifest.schema === 1 && Array.isArray(manifest.lists) ? manifest : { schema: 1 as const, lists: [] },
      )
      .catch(() => ({ schema: 1 as const, lists: [] }));
  return {
    find: async (key) => {
      for (const list of (await readManifest(key)).lists) {
        if (!(await unchanged(list.files, resolve))) continue;
        const object = await readFile(objectPath(list.object)).catch(() => undefined);
        if (object !== undefined && sha256(object) === list.object) return object;
      }
      return undefined;
    },
    keep: async (key, names, object) => {
      const files = await Promise.all(names.map(async (name) => [name, await hashFile(resolve(name))] as const));
      const hash = sha256(object);
      await writeFileWhole(objectPath(hash), object);
      const lists = [{ files, object: hash }, ...(await readManifest(key)).lists].slice(0, listsKept);
      await writeFileWhole(manifestPath(key), JSON.stringify({ schema: 1, lists } satisfies Manifest));
    },
  };
}

async function unchanged(
  files: readonly (readonly [string, string])[],
  resolve: (name: string) => string,
): Promise<boolean> {
  const same = await Promise.all(
    files.map(async ([name, hash]) => (await hashFile(resolve(name)).catch(() => undefined)) === hash),
  );
  return same.every((one) => one);
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Hashes of files this process has read, by identity and time of change. */
const hashes = new Map<string, string>();

/** sha256 of a file's content. Throws when it cannot be read. */
export async function hashFile(path: string): Promise<string> {
  const info = await stat(path, { bigint: true });
  const identity = `${info.dev}:${info.ino}:${info.size}:${info.mtimeNs}:${info.ctimeNs}`;
  const known = hashes.get(identity);
  if (known !== undefined) return known;
  const hash = sha256(await readFile(path));
  hashes.set(identity, hash);
  return hash;
}
