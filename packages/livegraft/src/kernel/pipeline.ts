/** Programs joined by pipes, such as a package's archive into tar, without a shell and without the data in memory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { diskFull, programFailed, programMissing } from '../diagnostics/support.ts';
import { fullDisk } from '../support/exec.ts';
import { cacheDir } from './places.ts';

type Command = readonly [program: string, ...args: string[]];

interface End {
  readonly code: number | null;
  /** The signal that ended it, or why it could not be started. */
  readonly cause: string;
  readonly words: string;
}

/**
 * Runs them together; throws with the last words of the last that failed. On abort all are ended.
 *
 * Each is the leader of a process group that is ended as a whole: dpkg-deb forks helpers that survive its end and, with their
 * reader gone, would hold the pipes open for ever.
 */
export async function pipeline(commands: readonly Command[], signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const running = commands.map(([program, ...args], i) =>
    spawn(program, args, {
      detached: true,
      env: { ...process.env, LC_ALL: 'C' },
      stdio: [i === 0 ? 'ignore' : 'pipe', i === commands.length - 1 ? 'ignore' : 'pipe', 'pipe'],
    }),
  );
  const stop = (): void => running.forEach(endGroup);
  signal?.addEventListener('abort', stop, { once: true });
  const ends = running.map(endOf);
  running.forEach((child, i) => {
    const next = running[i + 1];
    if (!child.stdout || !next?.stdin) return;
    next.stdin.on('error', () => undefined);
    child.stdout.pipe(next.stdin);
    // a writer without its reader is to notice, not to wait; and so a reader whose writer never came
    void ends[i + 1]!.then(() => child.stdout?.destroy());
    child.once('error', () => next.stdin?.destroy());
  });
  try {
    const results = await Promise.all(ends);
    signal?.throwIfAborted();
    // of several failures the last program's is the cause: those before it only lost their reader
    const failed = results.findLastIndex(({ code }) => code !== 0);
    if (failed < 0) return;
    const { code, cause, words } = results[failed]!;
    const [program] = commands[failed]!;
    if (cause === 'ENOENT') throw new LivegraftError(programMissing({ program }));
    const full = results.find(({ words }) => fullDisk.test(words));
    if (full !== undefined) throw new LivegraftError(diskFull({ path: cacheDir() }));
    const how = code === null ? `was ended by ${cause}` : `ended with exit code ${code}`;
    const output = words.trim().split('\n').slice(-12).join('\n');
    throw new LivegraftError(programFailed({ command: commands[failed]!.join(' '), how, output }));
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
  }
}

function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    let words = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-4000);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      resolve({ code: null, cause: error.code ?? error.message, words });
    });
    // 'exit' and not 'close': helpers may keep the pipes open
    child.once('exit', (code, signal) => resolve({ code, cause: signal ?? '', words }));
  });
}

function endGroup(child: ChildProcess): void {
  child.stdin?.destroy();
  child.stdout?.destroy();
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch {
    // nobody of the group is left
  }
}
