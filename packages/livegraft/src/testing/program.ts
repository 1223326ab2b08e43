/** The program as users run it, as a process of its own; and what a run left behind, on the disk and among the processes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDir, lockFile } from '../kernel/places.ts';
import { withLock } from '../support/lock.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
export const program: string = join(root, 'packages/livegraft/bin/livegraft.js');

export interface RunSettings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Run by this command, which gets the program's command line behind its own: `['unshare', '-m', 'sh', '-c', …]`. */
  readonly within?: readonly string[];
}

export interface Ran {
  /** 128 and more: ended by a signal, as a shell counts. */
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Processes that outlived it: their command lines. */
  readonly processes: readonly string[];
  /** Unfinished files and folders that it, and nobody else, left in the cache. */
  readonly files: readonly string[];
}

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<Ran>;
  /** Resolves when a text has appeared in its output; rejects when it ends before. */
  saw(text: string): Promise<void>;
}

/** Compiles the program, once for all that ask at the same time; types are the gate's matter. */
export async function compileProgram(): Promise<void> {
  await withLock(lockFile('test-program'), { what: 'the program for the tests', wait: 120_000 }, () => {
    spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], { cwd: root, stdio: 'ignore' });
    if (!existsSync(join(root, 'packages/livegraft/dist/cli/main.js')))
      throw new Error('tsc -b made no dist/cli/main.js');
    return Promise.resolve();
  });
}

/** Runs it to its end. */
export function livegraft(args: readonly string[], settings: RunSettings = {}): Promise<Ran> {
  return start(args, settings).ended;
}

/** Our environment without what whoever tests likes of colours. */
function inherited(): NodeJS.ProcessEnv {
  const { NO_COLOR: _, ...others } = process.env;
  return others;
}

/** Starts it in a process group of its own, as a shell does: a signal to `-pid` is what Ctrl-C sends. */
export function start(args: readonly string[], { cwd, env = {}, within = [] }: RunSettings = {}): Started {
  const mark = randomUUID();
  const [command, ...rest] = [...within, process.execPath, program, ...args];
  const child = spawn(command!, rest, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...inherited(), ...env, LIVEGRAFT_TEST_MARK: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let [stdout, stderr] = ['', ''];
  let look = (): void => undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    look();
  });
  const pid = child.pid!;
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const exit = code ?? 128 + (signal === 'SIGKILL' ? 9 : signal === 'SIGINT' ? 2 : 15);
      const files = unfinished(pid);
      // children that were told to end may take a moment
      void settled(mark).then((processes) => resolve({ exit, stdout, stderr, processes, files }));
    });
  });
  const saw = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      look = () => {
        if (stdout.includes(text) || stderr.includes(text)) resolve();
      };
      look();
      ended.then(
        (ran) => reject(new Error(`ended with ${ran.exit} before ${JSON.stringify(text)}:\n${ran.stderr}`)),
        reject,
      );
    });
  return { child, pid, ended, saw };
}

/** Names of unfinished work (support/files.ts) that a process made, below the folders of the cache that have such. */
export function unfinished(pid: number, more: readonly string[] = []): string[] {
  const cache = cacheDir();
  const kernels = join(cache, 'kernels');
  const places = [
    cache,
    ...['apt', 'debs', 'demo', 'kernels', 'locks', 'objects', 'scratch'].map((name) => join(cache, name)),
    ...list(kernels).map((name) => join(kernels, name)),
    ...list(join(cache, 'objects')).map((name) => join(cache, 'objects', name)),
    ...more,
  ];
  return places.flatMap((place) =>
    list(place)
      .filter((name) => name.startsWith(`.tmp-${pid}-`))
      .map((name) => join(place, name)),
  );
}

/** Unfinished work of anybody in a folder. */
export function temporaries(folder: string): string[] {
  return list(folder).filter((name) => name.startsWith('.tmp-'));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

async function settled(mark: string): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    const found = marked(mark);
    if (found.length === 0 || tries === 50) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Command lines of the processes that have the mark in their environment. */
function marked(mark: string): string[] {
  return list('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)) return [];
      return [readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')];
    } catch {
      return [];
    }
  });
}
