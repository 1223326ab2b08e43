/** One attempt, written down step by step, each step before it is done. */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { Exit, LivegraftError } from '../diagnostics/diagnostic.ts';
import { journalSilent, journalUnwritable } from '../diagnostics/journal.ts';
import type { Action, Step } from '../host/journal/entry.ts';
import { Journal, type News } from '../host/journal/journal.ts';

/** Writes the next step down; returns when it is on the disk. */
export type Mark = (step: Step) => Promise<void>;

/** For callers without a journal. */
export const unmarked: Mark = () => Promise.resolve();

export interface AttemptFacts {
  readonly action: Action;
  readonly name: string;
  readonly moduleId?: string;
  /** A load at boot: it counts as ended when it has settled. */
  readonly settlesLater?: boolean;
}

export interface AttemptResult {
  readonly outcome: string;
  readonly problems: readonly Diagnostic[];
}

/**
 * Does the work of an attempt with its beginning and its end in the journal. A load that cannot be written down is not begun: throws `journal-unwritable`.
 * What takes something back goes on without, and so does everything after the beginning: `troubles` then has a warning.
 */
export async function attempt<T extends AttemptResult>(
  journal: Journal,
  facts: AttemptFacts,
  work: (mark: Mark) => Promise<T>,
): Promise<{ readonly result: T; readonly troubles: readonly Diagnostic[] }> {
  const { settlesLater = false, ...about } = facts;
  const id = Journal.attemptId();
  const troubles: Diagnostic[] = [];
  const write = async (news: Omit<News, 'attempt' | 'action'>): Promise<void> => {
    try {
      await journal.append({ attempt: id, ...about, ...news });
    } catch (error) {
      const problem = problemOf(error);
      if (news.step === 'begin' && facts.action === 'load')
        throw new LivegraftError(journalUnwritable({ path: journal.path, problem, action: facts.action }));
      if (troubles.length === 0) troubles.push(journalSilent({ path: journal.path, problem }));
    }
  };
  await write({ step: 'begin' });
  let result: T;
  try {
    result = await work((step) => write({ step }));
  } catch (error) {
    const diagnostics = error instanceof LivegraftError ? error.diagnostics : [];
    const exit = diagnostics[0]?.exit ?? Exit.failed;
    await write({ step: 'end', outcome: 'failed', exit, codes: diagnostics.map(({ code }) => code) });
    throw error;
  }
  const errors = result.problems.filter(({ severity }) => severity === 'error');
  const pending = settlesLater && result.outcome === 'active';
  await write({
    step: 'end',
    outcome: result.outcome,
    exit: errors[0]?.exit ?? Exit.done,
    ...(result.problems.length === 0 ? {} : { codes: result.problems.map(({ code }) => code) }),
    ...(pending ? { pending } : {}),
  });
  return { result, troubles };
}

export function problemOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    EROFS: 'the file system is read-only',
    EACCES: 'permission denied',
    ENOTDIR: 'there is a file in the place of its folder',
    EIO: 'the disk reports an error',
  };
  return known[code ?? ''] ?? code ?? message;
}
