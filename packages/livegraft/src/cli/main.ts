/** The program: takes the command line, runs a command, ends with its exit code. The only place that touches `process`. */
import process from 'node:process';
import { run, type StricliProcess } from '@stricli/core';
import { Exit } from '../diagnostics/diagnostic.ts';
import { app } from './app.ts';
import type { Context } from './context.ts';

const interrupted = new AbortController();
const stop = (signal: NodeJS.Signals, code: number) => () => {
  // asked twice: go at once; what is unfinished is swept by the next run
  if (interrupted.signal.aborted) process.exit(code);
  process.exitCode = code;
  interrupted.abort(new Interrupted(signal));
};
process.on('SIGINT', stop('SIGINT', 130));
process.on('SIGTERM', stop('SIGTERM', 143));
process.on('SIGHUP', stop('SIGHUP', 129));
// `livegraft … | head`
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(Exit.done);
  throw error;
});

/** Ended by a signal, not by an error. */
class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor(signal: string) {
    super(`ended by ${signal}`);
  }
}

const context: Context = { process: process as unknown as StricliProcess, signal: interrupted.signal };
await run(app, process.argv.slice(2), context);
// stricli has codes of its own for wrong usage (-4, -5) and for what went wrong inside it (-1 … -3)
const code = Number(process.exitCode ?? 0);
if (code < 0) process.exitCode = code <= -4 ? Exit.usage : Exit.failed;
