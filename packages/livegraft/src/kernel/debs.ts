/** Packages that are here: one folder each among our downloads, with the .deb under its name in the archive. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolderWhole, removeFolderWhole } from '../support/files.ts';
import { withSignal } from './options.ts';
import type { ArchivePackage } from './packages.ts';
import { debsDir } from './places.ts';

export function debPath({ file }: Pick<ArchivePackage, 'file'>): string {
  return join(debsDir(), file.replace(/\.deb$/, ''), file);
}

/** Whether a package lies whole among our downloads (by name and size; `isWhole` checks its hash). */
export async function isKept(wanted: ArchivePackage): Promise<boolean> {
  return (await stat(debPath(wanted)).catch(() => undefined))?.size === wanted.size;
}

/** Those of which our downloads have no whole copy. */
export async function notHere(
  wanted: readonly ArchivePackage[],
  signal: AbortSignal | undefined,
): Promise<ArchivePackage[]> {
  const missing: ArchivePackage[] = [];
  for (const each of wanted) if (!(await isWhole(debPath(each), each, signal))) missing.push(each);
  return missing;
}

/** Whether a file is the package, byte for byte. */
async function isWhole(path: string, { size, sha256 }: ArchivePackage, signal?: AbortSignal): Promise<boolean> {
  if ((await stat(path).catch(() => undefined))?.size !== size) return false;
  return (await hashOf(path, signal)) === sha256;
}

/** sha256, hex. */
export async function hashOf(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, withSignal({}, { signal }))) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** Moves a file into its place among the downloads. */
export async function keep(wanted: ArchivePackage, from: string): Promise<void> {
  const place = dirname(debPath(wanted));
  await removeFolderWhole(place).catch(() => undefined);
  await makeFolderWhole(place, (folder) => rename(from, join(folder, wanted.file)));
}

export function sizeOfAll(packages: readonly ArchivePackage[]): number {
  return packages.reduce((sum, { size }) => sum + size, 0);
}

/** `12 of 313 MB` */
export function amount(bytes: number, total: number): string {
  const mega = (value: number): string => (value / 1e6).toFixed(0);
  return `${mega(bytes)} of ${mega(total)} MB`;
}
