/**
 * One worker at a time on a thing in the cache. The kernel keeps the lock (flock(2), through util-linux's `flock`), so that it ends
 * with its owner however that dies; the file's content only tells others who holds it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { busy, programMissing } from '../diagnostics/support.ts';
import { makeFolder } from './files.ts';

export interface LockOptions {
  /** What the lock guards, for messages: "kernel 6.1.0-55-amd64". */
  readonly what: string;
  /** Milliseconds to wait for another owner; 0 fails at once. */
  readonly wait: number;
  /** Called once when waiting begins; 0 when the owner has not said who it is. */
  readonly onWait?: (pid: number) => void;
  readonly signal?: AbortSignal;
  /** The file has content of its own: who holds it is not written into it. */
  readonly foreign?: true;
}

/** What `flock` ends with when another process holds the lock. */
const conflict = 75;

/** Runs `work` while holding the lock. Throws `busy` (exit 75) when another live process holds it for longer than `wait`. */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  await makeFolder(dirname(path));
  const keeper = await acquire(path, options);
  try {
    if (options.foreign !== true) await writeFile(path, `${process.pid}\n`);
    return await work();
  } finally {
    keeper.stdin?.end();
    if (keeper.exitCode === null) await once(keeper, 'exit');
  }
}

/** A process that holds the lock until its input is closed, by us or by our death. */
async function acquire(path: string, { what, wait, onWait, signal, foreign }: LockOptions): Promise<ChildProcess> {
  const deadline = Date.now() + wait;
  for (let told = false; ; told = true) {
    signal?.throwIfAborted();
    const keeper = await tryKeep(path);
    if (keeper !== undefined) return keeper;
    const owner = foreign === true ? 0 : Number((await readFile(path, 'utf8').catch(() => '')).trim());
    if (Date.now() >= deadline) throw new LivegraftError(busy({ what, pid: owner }));
    if (!told) onWait?.(owner);
    await sleep(200, undefined, { ...(signal === undefined ? {} : { signal }) });
  }
}

async function tryKeep(path: string): Promise<ChildProcess | undefined> {
  const args = [
    '--exclusive',
    '--nonblock',
    '--conflict-exit-code',
    String(conflict),
    path,
    'sh',
    '-c',
    'echo; exec cat',
  ];
  // in a group of its own: Ctrl-C on the terminal must not take the lock from under our clean-up
  const keeper = spawn('flock', args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  keeper.stdin.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    keeper.once('error', () => reject(new LivegraftError(programMissing({ program: 'flock' }))));
    keeper.stdout.once('data', () => {
      keeper.stdout.destroy();
      resolve(keeper);
    });
    keeper.once('exit', (code) => {
      if (code === conflict) resolve(undefined);
      else reject(new Error(`flock ${path} ended with exit code ${code}`));
    });
  });
}
