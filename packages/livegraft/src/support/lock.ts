/** One worker at a time on a thing in the cache: a lock file that names its owner and outlives no process. */
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { busy } from '../diagnostics/support.ts';
import { processStart } from './files.ts';

export interface LockOptions {
  /** What the lock guards, for messages: "kernel 6.1.0-55-amd64". */
  readonly what: string;
  /** Milliseconds to wait for another owner; 0 fails at once. */
  readonly wait: number;
  /** Called once when waiting begins. */
  readonly onWait?: (pid: number) => void;
  readonly signal?: AbortSignal;
}

/** Runs `work` while holding the lock. Throws `busy` (exit 75) when another live process holds it for longer than `wait`. */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const me = `${process.pid} ${await processStart(process.pid)}\n`;
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, me);
  try {
    await acquire(path, mine, options);
  } finally {
    await rm(mine, { force: true });
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, mine: string, options: LockOptions): Promise<void> {
  const deadline = Date.now() + options.wait;
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      await link(mine, path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = await readFile(path, 'utf8').catch(() => '');
    const [pid = '', started] = owner.trim().split(' ');
    if (owner !== '' && (await processStart(Number(pid))) !== started) {
      await rm(path, { force: true });
      continue;
    }
    if (Date.now() >= deadline) throw new LivegraftError(busy({ what: options.what, pid: Number(pid) }));
    if (!told) options.onWait?.(Number(pid));
    told = true;
    await sleep(200, undefined, { ...(options.signal === undefined ? {} : { signal: options.signal }) });
  }
}
