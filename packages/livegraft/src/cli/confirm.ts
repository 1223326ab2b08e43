/** Asks a person on the terminal. */
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';

/** Whether somebody sits there who can answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** True for `y` and `yes`; the end of the input is a no. Throws when `signal` is aborted. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  process.stderr.write(`${question} [y/N] `);
  // not the editing kind, which would take Ctrl-C for itself
  const lines = createInterface({ input: process.stdin, terminal: false });
  const done = new AbortController();
  const options = { signal: AbortSignal.any([signal, done.signal]) };
  try {
    const ended = once(lines, 'close', options).then(() => ['']);
    const [answer] = (await Promise.race([once(lines, 'line', options), ended])) as [string];
    return /^\s*y(es)?\s*$/i.test(answer);
  } finally {
    done.abort();
    lines.close();
    process.stdin.destroy();
  }
}
