/** Runs other programs: arguments as arrays, no shell, their last words in the error, killed with us. */
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { diskFull, programFailed, programMissing } from '../diagnostics/support.ts';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Milliseconds; the program is killed afterwards. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Run in a process group of its own, which is ended as a whole on abort: for programs that start others (make, compilers). */
  readonly group?: boolean;
  /** ENOSPC in its words is not about a disk: insmod passes on what a module's own code says. */
  readonly writesNothing?: boolean;
}

export interface RunResult<Output = string> {
  readonly exitCode: number;
  readonly stdout: Output;
  readonly stderr: string;
}

/** How programs put ENOSPC and EDQUOT under LC_ALL=C. */
export const fullDisk = /No space left on device|Disk quota exceeded/;

/** Runs a program to its end and returns what it said, whatever its exit code. Throws when it cannot be started, is killed, times out, or finds the disk full. */
export async function tryRun(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { stdout, ...others } = await execute(program, args, options, 256 * 1024 * 1024);
  return { ...others, stdout: decode(stdout) };
}

/** Like `tryRun`, for a program that writes bytes, 1 GiB at most. */
export async function tryRunForBytes(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult<Uint8Array>> {
  return execute(program, args, options, 1024 * 1024 * 1024);
}

const decode = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('utf8');

async function execute(
  program: string,
  args: readonly string[],
  options: RunOptions,
  maxBuffer: number,
): Promise<RunResult<Uint8Array>> {
  options.signal?.throwIfAborted();
  // 170 files, which commands that only look at the running kernel do not need
  const { execa } = await import('execa');
  const running = execa(program, [...args], {
    reject: false,
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { LC_ALL: 'C', ...options.env },
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.group === true ? { detached: true } : {}),
    maxBuffer,
    encoding: 'buffer',
    // else a last newline of what is no text goes, too
    stripFinalNewline: false,
  });
  const endGroup = (): void => {
    try {
      if (running.pid !== undefined) process.kill(-running.pid, 'SIGTERM');
    } catch {
      // the whole group has ended already
    }
  };
  if (options.group === true) options.signal?.addEventListener('abort', endGroup);
  const result = await running;
  const stderr = decode(result.stderr);
  options.signal?.removeEventListener('abort', endGroup);
  if (result.isCanceled) options.signal?.throwIfAborted();
  if (result.code === 'ENOENT' || result.code === 'EACCES') throw new LivegraftError(programMissing({ program }));
  if (options.writesNothing !== true && result.exitCode !== 0 && fullDisk.test(stderr)) {
    throw new LivegraftError(diskFull({ path: options.env?.['TMPDIR'] ?? options.cwd ?? process.cwd() }));
  }
  if (result.exitCode === undefined) {
    const how = result.timedOut
      ? `did not end within ${options.timeout} ms`
      : `was ended by ${result.signal ?? result.code}`;
    throw new LivegraftError(programFailed({ command: [program, ...args].join(' '), how, output: tail(stderr) }));
  }
  return { exitCode: result.exitCode, stdout: result.stdout, stderr };
}

/** Like `tryRun`, but an exit code other than 0 throws, with the end of the program's error output. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await tryRun(program, args, options);
  if (result.exitCode !== 0) {
    const output = tail(result.stderr.trim() === '' ? result.stdout : result.stderr);
    const how = `ended with exit code ${result.exitCode}`;
    throw new LivegraftError(programFailed({ command: [program, ...args].join(' '), how, output }));
  }
  return result;
}

/** The last lines of a program's output: what a person needs to see, and no more. */
function tail(text: string, lines = 12): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
