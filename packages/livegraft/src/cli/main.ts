/** The program: takes the command line, runs a command, ends with its exit code. The only place that touches `process`. */
import { writeSync } from 'node:fs';
import process from 'node:process';
import { run } from '@stricli/core';
import { Exit } from '../diagnostics/diagnostic.ts';
import { app } from './app.ts';
import { documentOf, tellProblems } from './command.ts';
import type { Context } from './context.ts';
import { commandOf, isUsage, usageProblem } from './usage.ts';

/** Milliseconds that the clean-up after an interruption may take. */
const patience = 20_000;

const interrupted = new AbortController();
let finished = false;
const end = (code: number, why: string): void => {
  // asked twice: go at once; what is unfinished is swept by the next run
  if (interrupted.signal.aborted) process.exit(code);
  process.exitCode = code;
  interrupted.abort(new Interrupted(why));
  setTimeout(() => process.exit(code), patience).unref();
};
process.on('SIGINT', () => end(130, 'SIGINT'));
process.on('SIGTERM', () => end(143, 'SIGTERM'));
process.on('SIGHUP', () => end(129, 'SIGHUP'));
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      // `livegraft … | head`: nobody listens any more
      if (!finished && !interrupted.signal.aborted) end(141, 'a closed pipe');
      return;
    }
    if (stream === process.stdout) complain(`error[output-failed]\n  Cannot write the output: ${error.message}\n`);
    process.exit(Exit.failed);
  });
}

/** Ended by a signal, not by an error. */
class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor(why: string) {
    super(`ended by ${why}`);
  }
}

/** Says something even where nothing else works any more. */
function complain(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // nobody hears it
  }
}

const given = process.argv.slice(2);
// what people try first
const words = given[0] === 'help' ? [...given.slice(1), '--help'] : given;
const json = words.slice(0, words.indexOf('--') < 0 ? undefined : words.indexOf('--')).includes('--json');

process.on('exit', () => {
  if (finished || interrupted.signal.aborted) return;
  process.exitCode = Exit.failed;
  complain('error[internal-error]\n  livegraft itself failed: it waits for something that will never happen\n');
});

// stricli tells wrong usage on stderr by itself; it is collected here and told as every other problem is
let said = '';
const stricli: { exitCode?: number | string | null } = {};
const context: Context = {
  process: Object.assign(stricli, {
    stdout: process.stdout,
    stderr: { write: (text: string) => (said += text) },
    env: process.env,
  }) as unknown as Context['process'],
  signal: interrupted.signal,
};
await run(app, words, context);
finished = true;
const code = Number(stricli.exitCode ?? 0);
if (isUsage(code)) {
  const diagnostics = [usageProblem(words, said, code)];
  process.exitCode = Exit.usage;
  if (json)
    process.stdout.write(documentOf(commandOf(words, code).join(' '), { ok: false, exit: Exit.usage, diagnostics }));
  else tellProblems(diagnostics);
} else {
  process.stderr.write(said);
  if (code < 0) process.exitCode = Exit.failed;
}
