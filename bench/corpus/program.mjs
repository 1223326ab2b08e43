// Runs livegraft, the whole program, one process a call, and reads the JSON document that it prints.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';

/** Milliseconds that livegraft gets to clean up after it was asked to end; its own limit is 20 s. */
const patience = 30_000;
const outputLimit = 4000;

/**
 * One call. Never throws for what livegraft does; rejects with the signal's reason when that is aborted, after livegraft has ended.
 * @param {{ program: string, args: string[], timeout: number, signal: AbortSignal }} call timeout in seconds
 * @returns exit code (null: it was killed), the parsed document (undefined: it printed none), seconds, peak resident memory of its own
 *   process in bytes, the end of its error output
 */
export async function livegraft({ program, args, timeout, signal }) {
  signal.throwIfAborted();
  const started = performance.now();
  // in a group of its own: Ctrl-C on the terminal reaches it through us, once
  const child = spawn(process.execPath, [program, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  let peak = 0;
  let timedOut = false;
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr = (stderr + text).slice(-outputLimit)));
  const timers = [setInterval(() => (peak = Math.max(peak, peakMemory(child.pid))), 200)];
  const stop = () => {
    child.kill('SIGINT');
    timers.push(setTimeout(() => killGroup(child.pid), patience));
  };
  timers.push(
    setTimeout(() => {
      timedOut = true;
      stop();
    }, timeout * 1000),
  );
  signal.addEventListener('abort', stop);
  const exit = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).finally(() => {
    signal.removeEventListener('abort', stop);
    for (const timer of timers) clearTimeout(timer);
  });
  signal.throwIfAborted();
  return {
    exit,
    timedOut,
    document: parse(stdout),
    seconds: Math.round(performance.now() - started) / 1000,
    peak,
    stderr,
  };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** VmHWM: the kernel's own high-water mark. */
function peakMemory(pid) {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}

/** A hash of everything of livegraft that runs: results of another build of it are not reused. */
export function programHash(program) {
  const packages = dirname(dirname(dirname(program)));
  const hash = createHash('sha256');
  for (const folder of ['livegraft/dist', 'livegraft/guest', 'livegraft/kernel', 'binfmt/dist']) {
    const files = readdirSync(join(packages, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !/\.(map|d\.ts|tsbuildinfo)$|\.(test|case|vm)\.js$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    for (const file of files)
      hash
        .update(`${file.slice(packages.length)}\0`)
        .update(readFileSync(file))
        .update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}
