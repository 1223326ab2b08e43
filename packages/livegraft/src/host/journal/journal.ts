/** The journal's file: each entry is on the disk before what it announces is begun. Its one writer at a time holds the kernel's lock. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { readRunningKernel } from '../kernel.ts';
import type { HostRoots } from '../roots.ts';
import { readProc } from '../tasks.ts';
import { worthKeeping } from './attempts.ts';
import { type Action, formatEntry, type JournalContent, type JournalEntry, parseJournal, type Step } from './entry.ts';

/** Who does it. */
export interface Writer {
  readonly pid: number;
  readonly uid: number;
  /** Behind sudo. */
  readonly user?: string;
}

export interface JournalOptions {
  readonly roots: HostRoots;
  readonly writer: Writer;
  /** Called when the entry is on the disk. */
  readonly onSynced?: (entry: JournalEntry) => void | Promise<void>;
  /** Bytes from which on a new file is begun; 1 MiB unless given. */
  readonly limit?: number;
}

/** What an entry says; when, where and by whom is added. */
export interface News {
  readonly attempt: string;
  readonly action: Action;
  readonly step: Step;
  readonly name?: string;
  readonly moduleId?: string;
  readonly kernel?: { readonly release: string; readonly buildId?: string };
  readonly outcome?: string;
  readonly exit?: number;
  readonly codes?: readonly string[];
  readonly pending?: true;
}

const usualLimit = 1 << 20;

export function journalPath(roots: HostRoots): string {
  return join(roots.state, 'journal.ndjson');
}

/** As it stands; empty when there is none or it may not be read. */
export function readJournal(roots: HostRoots): JournalContent {
  try {
    return parseJournal(readFileSync(journalPath(roots)));
  } catch {
    return { entries: [], torn: 0, unended: false, damaged: [] };
  }
}

/** Names the time from one start of the machine to the next; empty where the kernel does not say. */
export function readBootId(roots: HostRoots): string {
  return readProc(join(roots.proc, 'sys/kernel/random/boot_id'))?.trim() ?? '';
}

/** @returns the identity of a process besides its number: field 22 of proc_pid_stat(5); undefined when there is none */
export function startOf(roots: HostRoots, pid: number): string | undefined {
  const stat = readProc(join(roots.proc, String(pid), 'stat'));
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

export class Journal {
  readonly roots: HostRoots;
  readonly bootId: string;
  readonly #options: JournalOptions;

  constructor(options: JournalOptions) {
    this.roots = options.roots;
    this.#options = options;
    this.bootId = readBootId(options.roots);
  }

  get writer(): Writer {
    return this.#options.writer;
  }

  get path(): string {
    return journalPath(this.roots);
  }

  read(): JournalContent {
    return readJournal(this.roots);
  }

  static attemptId(): string {
    return randomBytes(6).toString('hex');
  }

  /** Returns when the entry is on the disk. Throws the system's errors; the file is then as it was. */
  async append(news: News): Promise<void> {
    const { writer, onSynced, limit = usualLimit } = this.#options;
    const started = startOf(this.roots, writer.pid);
    const { release, buildId } = readRunningKernel(this.roots);
    const { codes, ...facts } = news;
    const entry: JournalEntry = {
      schema: 1,
      time: new Date().toISOString(),
      uptime: Number.parseFloat(readProc(join(this.roots.proc, 'uptime')) ?? '0'),
      bootId: this.bootId,
      kernel: { release, ...(buildId === undefined ? {} : { buildId }) },
      ...facts,
      ...(codes === undefined ? {} : { codes: [...codes] }),
      pid: writer.pid,
      ...(started === undefined ? {} : { started }),
      uid: writer.uid,
      ...(writer.user === undefined ? {} : { user: writer.user }),
    };
    this.#rotate(limit);
    this.#write(Buffer.from(formatEntry(entry)));
    await onSynced?.(entry);
  }

  #write(line: Uint8Array): void {
    makeFolderSynced(dirname(this.path));
    const isNew = statSync(this.path, { throwIfNoEntry: false }) === undefined;
    const file = openSync(this.path, constants.O_RDWR | constants.O_CREAT, 0o644);
    try {
      const size = repair(file);
      try {
        for (let done = 0; done < line.length; ) done += writeSync(file, line, done, line.length - done, size + done);
        fdatasyncSync(file);
      } catch (error) {
        ftruncateSync(file, size);
        throw error;
      }
    } finally {
      closeSync(file);
    }
    if (isNew) syncFolderNow(dirname(this.path));
  }

  /** What is over goes into journal.1.ndjson, replacing what was there. At every moment there is a whole journal.ndjson: the old one or the new one. */
  #rotate(limit: number): void {
    if ((statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) < limit) return;
    const kept = Buffer.from(worthKeeping(this.read().entries, this.bootId).map(formatEntry).join(''));
    if (kept.length > limit / 2) return;
    const [next, older] = [`${this.path}.new`, join(dirname(this.path), 'journal.1.ndjson')];
    rmSync(next, { force: true });
    linkSync(this.path, next);
    // a rename onto another name of the same file would do nothing, and leave both
    if (statSync(older, { throwIfNoEntry: false })?.ino !== statSync(next).ino) renameSync(next, older);
    rmSync(next, { force: true });
    const file = openSync(next, 'wx', 0o644);
    try {
      writeSync(file, kept);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(next, this.path);
    syncFolderNow(dirname(this.path));
  }
}

/** Cuts a torn line off, ends one that lacks its newline only; returns the size. */
function repair(file: number): number {
  const bytes = readFileSync(file);
  const { torn, unended } = parseJournal(bytes);
  if (torn > 0) ftruncateSync(file, bytes.length - torn);
  if (!unended) return bytes.length - torn;
  writeSync(file, '\n', bytes.length);
  return bytes.length + 1;
}

function makeFolderSynced(path: string): void {
  const made = mkdirSync(path, { recursive: true, mode: 0o755 });
  if (made !== undefined) for (let at = path; at.length >= made.length; at = dirname(at)) syncFolderNow(dirname(at));
}

function syncFolderNow(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
