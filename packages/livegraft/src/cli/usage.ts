/** What the parser of the command line says, as a diagnostic: one shape for every problem, also under --json. */
import { type Diagnostic, define, Exit } from '../diagnostics/diagnostic.ts';

const usage = define<{ problem: string; command: string }>('usage', {
  exit: Exit.usage,
  message: ({ problem }) => problem,
  hint: ({ command }) => `${command} --help shows what there is`,
});

/** Ends of stricli's run that are not the command's own. */
const unknownCommand = -5;
const invalidArgument = -4;

/** Whether stricli's exit code says that the command line was wrong, not that something failed inside. */
export function isUsage(code: number): boolean {
  return code === unknownCommand || code === invalidArgument;
}

/**
 * @param words the command line without the program
 * @param said what the parser wrote: one problem a line
 */
export function usageProblem(words: readonly string[], said: string, code: number): Diagnostic {
  const lines = said.split('\n').filter((line) => line.trim() !== '');
  const problem = lines
    .map((line) => line.replace('Expected at least 1 argument(s) for', 'Expected').replace(' but found none', ''))
    .join('\n');
  return usage({ problem, command: ['livegraft', ...commandOf(words, code)].join(' ') });
}

/** The words that name a command which exists: `kernel fetch`; empty for `livegraft` itself. */
export function commandOf(words: readonly string[], code?: number): string[] {
  const behind = words.findIndex((word) => word.startsWith('-'));
  const names = (behind < 0 ? words : words.slice(0, behind)).slice(0, words[0] === 'kernel' ? 2 : 1);
  return code === unknownCommand ? names.slice(0, -1) : [...names];
}
