/** What every command that changes this kernel does first and last: one at a time, with a journal, and with what earlier attempts left behind seen to. */
import process from 'node:process';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { journalSilent } from '../diagnostics/journal.ts';
import type { JournalEntry } from '../host/journal/entry.ts';
import { Journal, type News } from '../host/journal/journal.ts';
import { tellSystemLog } from '../host/journal/system-log.ts';
import type { HostRoots } from '../host/roots.ts';
import { problemOf } from '../live/attempt.ts';
import { recover } from '../live/recover.ts';
import { sweep } from '../support/files.ts';
import { withLock } from '../support/lock.ts';
import type { Session } from './command.ts';

export interface Changing {
  readonly journal: Journal;
  /** What earlier attempts without an end turned out to be. */
  readonly told: readonly Diagnostic[];
}

/** Throws `busy` (exit 75). */
export function changeKernel<T>(
  session: Session,
  roots: HostRoots,
  work: (changing: Changing) => Promise<T>,
): Promise<T> {
  return withKernelLock(session, async () => {
    const journal = openJournal(roots);
    const told = await recover(journal);
    await sweep(roots.run);
    return work({ journal, told });
  });
}

/** Milliseconds that a second livegraft waits. */
const lockPatience = 10_000;

/** One livegraft at a time changes this kernel. Throws `busy` (exit 75). */
function withKernelLock<T>({ progress, signal }: Session, work: () => Promise<T>): Promise<T> {
  const onWait = (pid: number): void =>
    progress.say(`Waiting for another livegraft${pid > 0 ? ` (process ${pid})` : ''} that changes this kernel`);
  const options = { what: 'this machine’s kernel', wait: lockPatience, onWait, signal };
  return withLock('/run/lock/livegraft.lock', options, work);
}

/** Writes down what was done with livegraft's own files; the kernel was not touched. */
export async function record(journal: Journal, news: Omit<News, 'attempt' | 'step'>): Promise<Diagnostic[]> {
  try {
    await journal.append({ ...news, attempt: Journal.attemptId(), step: 'end', exit: 0 });
    return [];
  } catch (error) {
    return [journalSilent({ path: journal.path, problem: problemOf(error) })];
  }
}

function openJournal(roots: HostRoots): Journal {
  const user = process.env['SUDO_USER'];
  const writer = {
    pid: process.pid,
    uid: process.getuid?.() ?? 0,
    ...(user === undefined || user === '' ? {} : { user }),
  };
  const onSynced = async (entry: JournalEntry): Promise<void> => {
    stopForTests(entry);
    await tellSystemLog(entry);
  };
  return new Journal({ roots, writer, onSynced });
}

/**
 * For tests of what survives: LIVEGRAFT_STOP_AT=ACTION:STEP (`load:inserted`) stops this process as SIGSTOP does, as soon as that entry is on the disk
 * and before anything else is done. Whoever stopped it kills it, or switches the machine off.
 */
function stopForTests({ action, step }: JournalEntry): void {
  if (process.env['LIVEGRAFT_STOP_AT'] === `${action}:${step}`) process.kill(process.pid, 'SIGSTOP');
}
