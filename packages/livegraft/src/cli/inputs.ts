/** Files that a command takes from the user. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
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

export async function readPatches(paths: readonly string[]): Promise<{ name: string; bytes: Uint8Array }[]> {
  return Promise.all(
    paths.map(async (path) => {
      const unreadable = (problem: string): LivegraftError => new LivegraftError(patchUnreadable({ path, problem }));
      const facts = await stat(path).catch((error: NodeJS.ErrnoException) => {
        throw unreadable(error.code === 'ENOENT' ? 'no such file' : (error.code ?? error.message));
      });
      if (facts.isDirectory()) throw unreadable('it is a folder');
      if (facts.size > patchLimit) throw unreadable(`it is ${facts.size} bytes long; the limit is ${patchLimit}`);
      return {
        name: path,
        bytes: await readFile(path).catch((error: NodeJS.ErrnoException) =>
          Promise.reject(unreadable(error.code ?? error.message)),
        ),
      };
    }),
  );
}

export async function readScript(path: string): Promise<Script> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new LivegraftError(
      scriptUnreadable({ path, problem: error.code === 'ENOENT' ? 'no such file' : (error.code ?? error.message) }),
    );
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
