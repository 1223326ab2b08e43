/** What all commands share: the flags --json, --quiet, --verbose; progress; the way results and problems are told. */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Diagnostic, Exit, type ExitCode, LivegraftError } from '../diagnostics/diagnostic.ts';
import type { Progress } from '../support/progress.ts';
import type { Context } from './context.ts';
import { internalError, toDiagnostics } from './errors.ts';
import { JsonProgress } from './progress-json.ts';
import { TextProgress } from './progress-text.ts';
import { showDiagnostics } from './show-diagnostic.ts';
import { type Style, styleFor } from './style.ts';
import { fold } from './text.ts';

export interface CommonFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Every command takes these. */
export const commonFlags = {
  json: {
    kind: 'boolean',
    optional: true,
    withNegated: false,
    brief: 'Print one JSON document; progress as NDJSON on stderr',
  },
  quiet: { kind: 'boolean', optional: true, withNegated: false, brief: 'No progress, only the result' },
  verbose: { kind: 'boolean', optional: true, withNegated: false, brief: 'More about each step' },
} as const;

export interface Session {
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly style: Style;
  readonly verbose: boolean;
  readonly json: boolean;
  /** Columns of the terminal, 100 where there is none. */
  readonly columns: number;
  /** The terminal that the result goes to, if it goes to one. */
  readonly screen?: { readonly rows: number; readonly columns: number };
  /** Writes a part of the result for people; nothing under --json. */
  print(text: string): void;
}

export interface Outcome {
  /** For `--json`. */
  readonly result: unknown;
  /** One of `Exit`; for `vm` the guest command's own. */
  readonly exit?: ExitCode | number;
  /** Told after the result. */
  readonly diagnostics?: readonly Diagnostic[];
}

/** Runs the work of a command: tells its progress, prints its result or its problems, and sets the exit code. */
export async function perform(
  context: Context,
  name: string,
  flags: CommonFlags,
  work: (session: Session) => Promise<Outcome>,
): Promise<void> {
  const { stdout, stderr } = process;
  const json = flags.json ?? false;
  const style = styleFor(stdout);
  const progress = json
    ? new JsonProgress(stderr, flags.quiet ?? false)
    : new TextProgress(stderr, { quiet: flags.quiet ?? false, verbose: flags.verbose ?? false });
  const session: Session = {
    progress,
    signal: context.signal,
    style,
    verbose: flags.verbose ?? false,
    json,
    columns: stdout.columns ?? 100,
    ...(stdout.isTTY ? { screen: { rows: stdout.rows, columns: Math.max(20, stdout.columns) } } : {}),
    print: (text) => {
      if (json) return;
      progress.pause();
      const { columns } = stdout;
      const lines = text.split('\n');
      // a file or a pipe gets the lines as they are
      stdout.write(`${(stdout.isTTY ? lines.map((line) => fold(line, Math.max(20, columns))) : lines).join('\n')}\n`);
    },
  };
  const finish = (ok: boolean, exit: number, result: unknown, diagnostics: readonly Diagnostic[]): void => {
    progress.end();
    process.exitCode = exit;
    if (json) stdout.write(documentOf(name, { ok, exit, result, diagnostics }));
    else tellProblems(diagnostics, flags.verbose ?? false);
  };
  try {
    const { result, exit = Exit.done, diagnostics = [] } = await work(session);
    finish(exit === Exit.done, exit, result, diagnostics);
  } catch (error) {
    // Ctrl-C reaches our children too: their end may be known a moment before the signal is
    if (!context.signal.aborted) await sleep(20);
    if (context.signal.aborted) {
      progress.end();
      if (json) stdout.write(documentOf(name, { ok: false, exit: Number(process.exitCode) }));
      else stderr.write('Interrupted; nothing half-done was left behind\n');
      return;
    }
    const diagnostics = toDiagnostics(error);
    if (!(error instanceof LivegraftError) && diagnostics[0]?.code === internalError && (flags.verbose ?? false)) {
      stderr.write(`${(error as Error).stack}\n`);
    }
    finish(false, diagnostics[0]?.exit ?? Exit.failed, null, diagnostics);
  }
}

/** What `--json` prints: one document for every end of a command. */
export function documentOf(
  command: string,
  {
    ok,
    exit,
    result = null,
    diagnostics = [],
  }: { ok: boolean; exit: number; result?: unknown; diagnostics?: readonly Diagnostic[] },
): string {
  return `${JSON.stringify({ schema: 1, command, ok, exit, result, diagnostics }, bigintAsHex, 2)}\n`;
}

/** Problems for people, on stderr. */
export function tellProblems(diagnostics: readonly Diagnostic[], all = false): void {
  const { stderr } = process;
  showDiagnostics(diagnostics, stderr, styleFor(stderr), all);
}

function bigintAsHex(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `0x${value.toString(16)}` : value;
}
