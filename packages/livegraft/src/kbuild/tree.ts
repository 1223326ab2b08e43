/**
 * A folder that looks like the kernel's source with the patched files in place. Folders on the way to a patched file are real,
 * everything beside them is a symbolic link, so that `#include "x.h"` and `../x.h` of a patched unit resolve as they did.
 * What leads around it (a linked folder's own `..`) is found after the compilation, from the compiler's list of files.
 */
import { mkdir, readdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesOf } from '../patch/text.ts';
import { withTemporaryFolder } from '../support/files.ts';
import type { UnitSource } from './types.ts';

export interface PatchedTree {
  /** The folder; commands name it instead of the source. */
  readonly root: string;
  /** The patched files, by path in the tree. */
  readonly files: ReadonlySet<string>;
}

/**
 * Fills `root`, which exists and is empty.
 * @param source the source tree, absolute
 * @param files path in the tree → text, a byte string
 * @param folders more folders that must be real: paths lead from them upwards by `..`
 */
export async function makePatchedTree(
  source: string,
  root: string,
  files: ReadonlyMap<string, string>,
  folders: Iterable<string> = [],
): Promise<PatchedTree> {
  const real = new Set<string>(['']);
  for (const path of [...[...files.keys()].map((path) => dirname(path)), ...folders]) {
    for (let folder = path; folder !== '.'; folder = dirname(folder)) real.add(folder);
  }
  for (const folder of [...real].sort()) {
    if (folder !== '') await mkdir(join(root, folder));
    // a folder that the patch makes has nothing in it yet
    for (const name of await readdir(join(source, folder)).catch(() => [])) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (!real.has(path) && !files.has(path)) await symlink(join(source, path), join(root, path));
    }
  }
  for (const [path, text] of files) await writeFile(join(root, path), bytesOf(text));
  return { root, files: new Set(files.keys()) };
}

/** Arguments that name `from` or something in it name `to` instead: `-I/src/include`, `-fmacro-prefix-map=/src/=`. */
export function moveArguments(words: readonly string[], from: string, to: string): string[] {
  const escaped = from.replace(/[.*+?^$()[\]{}|\\]/g, '\\$&');
  const pattern = new RegExp(`(^|=|,|"|^-[A-Za-z])${escaped}(?=/|=|"|$)`, 'g');
  return words.map((word) => word.replace(pattern, (_, before: string) => before + to));
}

/** Holds livegraft.h, and nothing else. */
export const authorHeaders = fileURLToPath(new URL('../../kernel/include', import.meta.url));

/** A unit's command for the patched tree: names it, and finds what patches may include besides, last of all. */
export function patchedCommand(words: readonly string[], source: string, tree: PatchedTree): string[] {
  return [...moveArguments(words, source, tree.root), `-idirafter${authorHeaders}`];
}

/** Gives `work` a patched tree inside `scratch`; nothing stays of it. */
export function withPatchedTree<T>(
  source: string,
  scratch: string,
  files: ReadonlyMap<string, string>,
  work: (tree: PatchedTree) => Promise<T>,
  folders: Iterable<string> = [],
): Promise<T> {
  return withTemporaryFolder(scratch, async (folder) =>
    work(await makePatchedTree(source, await realpath(folder), files, folders)),
  );
}

/** Folders from which a unit's command leads upwards: of `-I/src/a/b/../c` it is `a/b`. */
export function climbingFolders({ source, spelled = source, command }: UnitSource, root: string): string[] {
  const paths = command.compile.flatMap((word) => {
    const at = word.indexOf(`${root}/`);
    return at < 0 ? [] : [word.slice(at + root.length + 1)];
  });
  return [spelled, ...paths].flatMap((path) => (path.includes('/../') ? [path.slice(0, path.indexOf('/../'))] : []));
}
