/** Any error as diagnostics: ours as they are, the system's by their meaning, the rest as a bug of livegraft. */
import { FormatError } from '@livegraft/binfmt/format-error';
import { type Diagnostic, define, Exit, LivegraftError } from '../diagnostics/diagnostic.ts';
import { diskFull } from '../diagnostics/support.ts';

export const internalError = 'internal-error';

const internal = define<{ what: string }>(internalError, {
  exit: Exit.failed,
  message: ({ what }) => `livegraft itself failed: ${what}`,
  hint: 'this is a bug; run again with --verbose and report it with the output',
});

const inputMalformed = define<{ what: string }>('format-unexpected', {
  message: ({ what }) => what,
  hint: 'the file is damaged, or not of the kind that is expected here',
});

const systemRefused = define<{ what: string }>('system-refused', {
  exit: Exit.failed,
  message: ({ what }) => what,
});

export function toDiagnostics(error: unknown): readonly Diagnostic[] {
  if (error instanceof LivegraftError) return error.diagnostics;
  if (error instanceof FormatError) return [inputMalformed({ what: error.message })];
  const system = error as NodeJS.ErrnoException;
  if (system?.code === 'ENOSPC' || system?.code === 'EDQUOT') return [diskFull({ path: system.path ?? 'the cache' })];
  if (typeof system?.code === 'string' && system.syscall !== undefined) {
    return [systemRefused({ what: `${sentence(system.code)}: ${system.syscall} ${system.path ?? ''}`.trim() })];
  }
  return [internal({ what: error instanceof Error ? error.message : String(error) })];
}

function sentence(code: string): string {
  const known: Record<string, string> = {
    ENOENT: 'No such file or folder',
    EACCES: 'Permission denied',
    EPERM: 'Operation not permitted',
    EISDIR: 'Is a folder, a file was expected',
    ENOTDIR: 'Is a file, a folder was expected',
    EROFS: 'The file system is read-only',
    EMFILE: 'Too many open files',
  };
  return known[code] ?? code;
}
