/**
 * What is enabled: STATE/enabled/RELEASE-BUILDID12/NAME, for any kernel. NAME is a symbolic link to a folder beside it, because a link can be replaced
 * by another in one rename, and a folder cannot: after a power cut there is the old bundle or the new one.
 */
import { mkdir, open, readdir, readFile, readlink, rename, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { type Bundle, readBundle } from '../bundle/bundle.ts';
import type { Manifest } from '../bundle/manifest.ts';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/journal.ts';
import type { Writer } from '../host/journal/journal.ts';
import type { HostRoots } from '../host/roots.ts';
import { makeFolder, removeFolderWhole, sweep, syncFolder, withTemporaryFolder } from '../support/files.ts';

export interface KernelName {
  readonly release: string;
  readonly buildId: string;
}

const enabledSchema = v.looseObject({
  schema: v.literal(1),
  /** They are loaded in this order. */
  sequence: v.number(),
  /** ISO 8601, UTC. */
  time: v.string(),
  uid: v.number(),
  user: v.optional(v.string()),
  /** The folder it was taken from. */
  from: v.string(),
});

export interface Enabled {
  readonly bundle: Bundle;
  readonly sequence: number;
  readonly time: string;
}

export interface Store {
  /** In the order of loading. */
  readonly enabled: readonly Enabled[];
  /** What cannot be used, and why. */
  readonly broken: readonly Diagnostic[];
}

export function enabledFolder(roots: HostRoots, { release, buildId }: KernelName): string {
  return join(roots.state, 'enabled', `${release}-${buildId.slice(0, 12)}`);
}

/** What is enabled for a kernel; each bundle is checked against itself as when it was enabled. */
export async function readEnabled(roots: HostRoots, kernel: KernelName): Promise<Store> {
  const folder = enabledFolder(roots, kernel);
  const names = (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith('.'));
  const enabled: Enabled[] = [];
  const broken: Diagnostic[] = [];
  for (const name of names) {
    const path = join(folder, name);
    try {
      const bundle = await readBundle(path);
      const { sequence, time } = v.parse(enabledSchema, JSON.parse(await readFile(join(path, 'enabled.json'), 'utf8')));
      if (bundle.manifest.name !== name || bundle.manifest.kernel.buildId !== kernel.buildId)
        throw new Error('it is another bundle than its place says');
      enabled.push({ bundle, sequence, time });
    } catch (error) {
      broken.push(say.enabledBroken({ path, problem: (error as Error).message }));
    }
  }
  return { enabled: enabled.sort((a, b) => a.sequence - b.sequence), broken };
}

/** One that replaces all others makes those before it pointless. */
export function supersededBy(enabled: readonly Enabled[], one: Enabled): Enabled | undefined {
  return enabled.findLast(({ bundle, sequence }) => bundle.manifest.replace && sequence > one.sequence);
}

/** Whether a bundle could be enabled. Throws `kernel-name-odd`, `enable-conflict` (exit 4). */
export async function requireEnabling(roots: HostRoots, bundle: Bundle): Promise<void> {
  requireKernelName(bundle);
  requireNoConflict(bundle.manifest, (await readEnabled(roots, bundle.manifest.kernel)).enabled);
}

/**
 * Stores a bundle that was read, and so checked. Throws like `requireEnabling`.
 * @returns whether a bundle of that name was replaced
 */
export async function enableBundle(
  roots: HostRoots,
  bundle: Bundle,
  { uid, user }: Writer,
): Promise<{ readonly path: string; readonly replaced: boolean }> {
  const { manifest } = bundle;
  await requireEnabling(roots, bundle);
  const folder = enabledFolder(roots, manifest.kernel);
  const { enabled } = await readEnabled(roots, manifest.kernel);
  await makeFolderSynced(folder);
  await sweep(folder);
  const last = Math.max(0, ...(await allSequences(folder)), ...enabled.map(({ sequence }) => sequence));
  const about = {
    schema: 1,
    sequence: last + 1,
    time: new Date().toISOString(),
    uid,
    ...(user === undefined ? {} : { user }),
    from: bundle.path,
  };
  const target = `.${manifest.name}.${about.sequence}`;
  const link = join(folder, manifest.name);
  const before = await readlink(link).catch(() => undefined);
  await withTemporaryFolder(folder, async (scratch) => {
    const copy = join(scratch, 'copy');
    await mkdir(copy);
    await copyFiles(bundle, copy);
    await writeSynced(join(copy, 'enabled.json'), `${JSON.stringify(about, null, 2)}\n`);
    // what was copied is what was checked
    if ((await readBundle(copy)).manifest.module.sha256 !== manifest.module.sha256)
      throw new Error(`${bundle.path} changed while it was copied`);
    await syncFolder(copy);
    await rename(copy, join(folder, target));
    await syncFolder(folder);
    await symlink(target, join(scratch, 'link'));
    await rename(join(scratch, 'link'), link);
    await syncFolder(folder);
  });
  await dropUnlinked(folder);
  return { path: link, replaced: before !== undefined };
}

/**
 * Takes it out for every kernel of that release; unloads nothing. Throws `not-enabled` (exit 2).
 * @returns the folders that had it
 */
export async function disableBundle(roots: HostRoots, name: string, release: string): Promise<string[]> {
  const root = join(roots.state, 'enabled');
  const having: string[] = [];
  for (const folder of await readdir(root).catch(() => []))
    if ((await readlink(join(root, folder, name)).catch(() => undefined)) !== undefined) having.push(folder);
  const meant = having.filter((folder) => releaseOf(folder) === release);
  if (!/^[a-z0-9_]+$/.test(name) || meant.length === 0)
    throw new LivegraftError(say.notEnabled({ name, kernel: release, elsewhere: having.map(releaseOf) }));
  for (const each of meant) {
    const folder = join(root, each);
    await unlink(join(folder, name));
    await syncFolder(folder);
    await dropUnlinked(folder);
  }
  return meant;
}

function releaseOf(folder: string): string {
  return folder.slice(0, folder.lastIndexOf('-'));
}

function requireKernelName({ manifest, path }: Bundle): void {
  const { release, buildId } = manifest.kernel;
  if (!/^\d[\w.+~-]{0,63}$/.test(release) || !/^[0-9a-f]{16,128}$/.test(buildId))
    throw new LivegraftError(say.kernelNameOdd({ path, release, buildId }));
}

/** Two livepatches of one function: the newer would win, unseen. One that replaces all others says openly that it does. */
function requireNoConflict(manifest: Manifest, enabled: readonly Enabled[]): void {
  if (manifest.replace) return;
  for (const { bundle } of enabled) {
    if (bundle.manifest.name === manifest.name) continue;
    const theirs = new Set(bundle.manifest.functions.map(keyOf));
    const functions = manifest.functions.filter((fn) => theirs.has(keyOf(fn))).map((fn) => fn.name);
    if (functions.length > 0)
      throw new LivegraftError(say.enableConflict({ name: manifest.name, other: bundle.manifest.name, functions }));
  }
}

function keyOf({ object, name, sympos }: Manifest['functions'][number]): string {
  return `${object}\0${name}\0${Math.max(1, sympos)}`;
}

/** The files of a bundle; folders within are nobody's. */
async function copyFiles({ path, manifest, module }: Bundle, to: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'enabled.json' || entry.name.startsWith('.tmp-')) continue;
    const content = entry.name === manifest.module.file ? module : await readFile(join(path, entry.name));
    await writeSynced(join(to, entry.name), content);
  }
}

async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o644);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function makeFolderSynced(path: string): Promise<void> {
  for (const made of await makeFolder(path)) await syncFolder(dirname(made));
}

const dataName = /^\.[a-z0-9_]+\.(\d+)$/;

async function allSequences(folder: string): Promise<number[]> {
  return (await readdir(folder)).flatMap((name) => Number(dataName.exec(name)?.[1] ?? 0));
}

/** Folders that no name stands for any more: replaced, disabled, or left by one that was killed. */
async function dropUnlinked(folder: string): Promise<void> {
  const names = await readdir(folder);
  const linked = await Promise.all(names.map((name) => readlink(join(folder, name)).catch(() => '')));
  for (const name of names)
    if (dataName.test(name) && !linked.includes(name)) await removeFolderWhole(join(folder, name));
}
