/** Files and folders that appear whole or not at all, whatever kills us. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { diskFull } from '../diagnostics/support.ts';

/** Names of unfinished work start so; `sweep` removes those whose maker is gone. */
const unfinished = /^\.tmp-(\d+)-(\d+)-[0-9a-f]+$/;

/** Writes a file by way of a neighbour and a rename: readers see the old content or the new, never a part. */
export async function writeFileWhole(path: string, content: string | Uint8Array): Promise<void> {
  await makeFolder(dirname(path));
  const temporary = join(dirname(path), await temporaryName());
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx');
    await handle.writeFile(content);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw asDiskError(error, path);
  }
}

/**
 * Fills a new folder and moves it into place at once. When another process was quicker, its folder stays and ours is dropped.
 * @returns what `fill` returned
 */
export async function makeFolderWhole<T>(path: string, fill: (folder: string) => Promise<T>): Promise<T> {
  await makeFolder(dirname(path));
  const temporary = join(dirname(path), await temporaryName());
  try {
    await mkdir(temporary);
    const result = await fill(temporary);
    try {
      await rename(temporary, path);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      await rm(temporary, { recursive: true, force: true });
    }
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw asDiskError(error, path);
  }
}

/** Gives `work` a private folder inside `parent` and removes it afterwards; `sweep` removes it when we are killed. */
export async function withTemporaryFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  await makeFolder(parent);
  const folder = join(parent, await temporaryName());
  try {
    await mkdir(folder);
    return await work(folder);
  } catch (error) {
    throw asDiskError(error, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Makes a folder and those above it that are missing, as `mkdir -p` does; Node's own tells the wrong error where the disk is full,
 * and never ends where the kernel refuses new folders with ENOENT (/proc).
 * @returns those it made, the outermost first
 */
export async function makeFolder(path: string): Promise<string[]> {
  const there = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (!(there instanceof Error)) return [];
  if (there.code !== 'ENOENT') throw there;
  const made = await makeFolder(dirname(path));
  try {
    await mkdir(path);
    return [...made, path];
  } catch (error) {
    // another process was quicker
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return made;
    for (const folder of made.reverse()) await rmdir(folder).catch(() => undefined);
    throw error;
  }
}

/** Removes a folder so that no moment shows it half-removed: first its name goes, then its content. */
export async function removeFolderWhole(path: string): Promise<void> {
  const doomed = join(dirname(path), await temporaryName());
  await rename(path, doomed);
  await rm(doomed, { recursive: true, force: true });
}

/** Makes the names in a folder outlive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what killed processes left unfinished in a folder. */
export async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const match = unfinished.exec(name);
    if (match === null) continue;
    const [, pid, started] = match;
    if ((await processStart(Number(pid))) === started) continue;
    // a killed process's children may still write there for a moment; what they leave, a later sweep finds
    const patience = { maxRetries: 20, retryDelay: 100 };
    await rm(join(folder, name), { recursive: true, force: true, ...patience }).catch(() => undefined);
  }
}

/** When a process started, in clock ticks since boot (field 22 of proc_pid_stat(5)); undefined when there is none of that number. */
export async function processStart(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

async function temporaryName(): Promise<string> {
  const started = (await processStart(process.pid)) ?? '0';
  return `.tmp-${process.pid}-${started}-${randomBytes(4).toString('hex')}`;
}

function asDiskError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new LivegraftError(diskFull({ path: dirname(path) === '.' ? basename(path) : dirname(path) }))
    : error;
}
