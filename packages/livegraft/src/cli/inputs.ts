/** Files that a command takes from the user. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { FormatError } from '@livegraft/binfmt/format-error';
import { patchUnreadable } from '../diagnostics/bundle.ts';
import { define, Exit, LivegraftError } from '../diagnostics/diagnostic.ts';
import type { Script } from '../trial/try.ts';

/** Larger than any patch a person has reviewed. */
const patchLimit = 64 * 1024 * 1024;

const fileArgument = define<{ text: string; expected: string }>('argument-malformed', {
  exit: Exit.usage,
  message: ({ text, expected }) => `Cannot use ${JSON.stringify(text)}: expected ${expected}`,
});

const scriptUnreadable = define<{ path: string; problem: string }>('script-unreadable', {
  exit: Exit.usage,
  place: ({ path }) => path,
  message: ({ problem }) => `Cannot read the script: ${problem}`,
});

const inputUnreadable = define<{ path: string; what: string; problem: string }>('input-unreadable', {
  place: ({ path }) => path,
  message: ({ what, problem }) => `Cannot read ${what}: ${problem}`,
});

const inputMalformed = define<{ path: string; problem: string }>('input-malformed', {
  place: ({ path }) => path,
  message: ({ problem }) => problem,
  hint: 'the file is damaged, or not of the kind that is expected here',
});

/** Throws `input-unreadable` (exit 4). */
export async function readInput(path: string, what: string): Promise<Uint8Array> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new LivegraftError(inputUnreadable({ path, what, problem: reasonOf(error) }));
  });
}

/** Says which file a FormatError is about: `input-malformed` (exit 4). */
export function inFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new LivegraftError(inputMalformed({ path, problem: error.message }));
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'no such file',
    EISDIR: 'it is a folder',
    EACCES: 'you may not read it',
    ENOTDIR: 'no such file',
  };
  return known[error.code ?? ''] ?? error.code ?? error.message;
}

export async function readPatches(paths: readonly string[]): Promise<{ name: string; bytes: Uint8Array }[]> {
  return Promise.all(
    paths.map(async (path) => {
      const unreadable = (problem: string): LivegraftError => new LivegraftError(patchUnreadable({ path, problem }));
      const facts = await stat(path).catch((error: NodeJS.ErrnoException) => {
        throw unreadable(reasonOf(error));
      });
      if (facts.isDirectory()) throw unreadable('it is a folder');
      if (facts.size > patchLimit) throw unreadable(`it is ${facts.size} bytes long; the limit is ${patchLimit}`);
      return {
        name: path,
        bytes: await readFile(path).catch((error: NodeJS.ErrnoException) =>
          Promise.reject(unreadable(reasonOf(error))),
        ),
      };
    }),
  );
}

export async function readScript(path: string): Promise<Script> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new LivegraftError(scriptUnreadable({ path, problem: reasonOf(error) }));
  });
  return { name: basename(path), text };
}

/** `HOST[:GUEST]` → where it goes in the guest; the same name below / unless given. */
export function parseFileArgument(text: string): { host: string; guest: string } {
  const colon = text.lastIndexOf(':');
  const host = colon < 0 ? text : text.slice(0, colon);
  const guest = colon < 0 ? `/${basename(text)}` : text.slice(colon + 1);
  if (host === '' || !guest.startsWith('/') || guest.includes('..')) {
    throw new LivegraftError(fileArgument({ text, expected: 'FILE or FILE:/PATH/IN/GUEST' }));
  }
  return { host, guest };
}
