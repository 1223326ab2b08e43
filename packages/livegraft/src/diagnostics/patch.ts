/** Problems with a source patch: its text, what it touches, and whether it applies. */
import { define, Exit } from './diagnostic.ts';

interface AtLine extends Record<string, unknown> {
  patch: string;
  line: number;
}
const atLine = ({ patch, line }: AtLine): string => `${patch}:${line}`;

export const patchMalformed = define<AtLine & { problem: string }>('patch-malformed', {
  place: atLine,
  message: ({ problem }) => `The patch cannot be read: ${problem}`,
  hint: 'make the patch with `git diff`, `git format-patch` or `diff -up`, and do not edit its hunks by hand',
});

export const patchEmpty = define<{ patch: string }>('patch-empty', {
  place: ({ patch }) => patch,
  message: () => 'No change to any file was found in the patch',
  hint: 'expected `diff --git`, or `--- old` and `+++ new` followed by `@@ … @@`',
});

export const patchBinary = define<AtLine & { path: string }>('patch-binary', {
  place: atLine,
  message: ({ path }) => `The patch changes ${path} as a binary file; only text can be live-patched`,
});

export const patchPath = define<AtLine & { path: string; problem: string }>('patch-path', {
  place: atLine,
  message: ({ path, problem }) => `The patch names the file ${JSON.stringify(path)}, which ${problem}`,
  hint: 'paths are read as with `patch -p1`: one leading folder, then a path inside the source tree',
});

interface Path extends Record<string, unknown> {
  path: string;
}
const atPath = ({ path }: Path): string => path;

export const assemblyChange = define<Path & { headers?: string }>('assembly-change', {
  place: atPath,
  message: ({ path, headers }) =>
    headers === undefined
      ? `${path} is assembly or a linker script, which cannot be live-patched`
      : `the change to ${headers} changes ${path}, assembly or a linker script, which cannot be live-patched`,
});

export const buildSystemChange = define<Path>('build-system-change', {
  place: atPath,
  message: ({ path }) =>
    `${path} belongs to the build system or the configuration, which cannot change in a running kernel`,
  hint: 'leave this part of the patch out, if the fix does not depend on it',
});

export const outsideRunningKernel = define<Path & { part: string }>('outside-running-kernel', {
  place: atPath,
  message: ({ path, part }) =>
    `${path} belongs to ${part}, which is not code of the running kernel that ftrace can redirect`,
});

export const newUnit = define<Path>('new-unit', {
  place: atPath,
  message: ({ path }) => `The patch adds the source file ${path}; new source files are not supported`,
  hint: 'put the new functions into a unit that the patch changes anyway',
});

export const unitRemoved = define<Path & { change: string }>('unit-removed', {
  place: atPath,
  message: ({ path, change }) =>
    `The patch ${change}s the source file ${path}; a live patch can only change files that stay`,
});

export const unsupportedFile = define<Path>('unsupported-file', {
  place: atPath,
  message: ({ path }) =>
    `${path} is a kind of file that livegraft does not know; only changes to .c and .h files can be live-patched`,
  hint: 'leave this part of the patch out, if the fix does not depend on it',
});

export const fileIgnored = define<Path & { why: string }>('file-ignored', {
  severity: 'note',
  exit: Exit.done,
  place: atPath,
  message: ({ path, why }) => `The change to ${path} is left out: ${why}`,
});

export const includedSource = define<Path & { units: readonly string[] }>('included-source', {
  severity: 'note',
  exit: Exit.done,
  place: atPath,
  message: ({ path, units }) => `${path} is included by ${units.join(', ')}, compiled with the change too`,
});

export const copyOutside = define<Path & { unit: string; part: string }>('copy-outside-kernel', {
  severity: 'warning',
  exit: Exit.done,
  place: atPath,
  message: ({ path, unit, part }) => `${unit} includes ${path} too, as a copy in ${part}; that copy stays as it is`,
});

export const nothingToPatch = define<{ patch: string }>('nothing-to-patch', {
  exit: Exit.nothingToDo,
  place: ({ patch }) => patch,
  message: () => 'Nothing to do: the patch changes no file that is compiled into the kernel',
});

export const patchFileMissing = define<AtLine & Path>('patch-file-missing', {
  place: atLine,
  message: ({ path }) => `The patch changes ${path}, which does not exist in this kernel's source`,
  hint: 'paths are read as with `patch -p1`; is the patch for another kernel version?',
});

export const patchFileOdd = define<AtLine & Path & { problem: string }>('patch-file-odd', {
  place: atLine,
  message: ({ path, problem }) => `The patch changes ${path}, which is ${problem} in this kernel's source`,
});

interface AtHunk extends AtLine, Path {
  /** 1-based, within the file's part of the patch. */
  hunk: number;
}

export const hunkFails = define<AtHunk & { at: number; expected: string; found: string | undefined }>('hunk-fails', {
  place: atLine,
  message: ({ path, hunk, at, expected, found }) =>
    [
      `Hunk ${hunk} of ${path} does not apply: at ${path}:${at}`,
      `  the patch expects  ${JSON.stringify(expected)}`,
      `  the source has     ${found === undefined ? '(end of file)' : JSON.stringify(found)}`,
    ].join('\n'),
  hint: 'take the version of the fix that was made for this kernel release, or rebase it onto its source',
});

export const hunkApplied = define<AtHunk & { at: number }>('hunk-already-applied', {
  place: atLine,
  message: ({ path, hunk, at }) => `Hunk ${hunk} of ${path} is in this kernel already, at ${path}:${at}`,
  hint: 'this kernel may have the fix: look at its changelog',
});

export const hunkAmbiguous = define<AtHunk & { places: readonly number[] }>('hunk-ambiguous', {
  place: atLine,
  message: ({ path, hunk, places }) =>
    `Hunk ${hunk} of ${path} does not fit where it says and fits at more than one other place: lines ${places.slice(0, 8).join(', ')}`,
  hint: 'rebase the patch onto the source of this kernel, or make it with more lines of context (`git diff -U8`)',
});

export const hunkWithoutContext = define<AtHunk>('hunk-without-context', {
  place: atLine,
  message: ({ path, hunk }) => `Hunk ${hunk} of ${path} has no context at one side, so its place cannot be checked`,
  hint: 'make the patch with three lines of context (`git diff -U3`)',
});

export const hunkMoved = define<AtHunk & { at: number; offset: number }>('hunk-moved', {
  severity: 'note',
  exit: Exit.done,
  place: atLine,
  message: ({ path, hunk, at, offset }) =>
    `Hunk ${hunk} of ${path} applies at line ${at}, ${Math.abs(offset)} lines ${offset < 0 ? 'before' : 'after'} the place it names`,
});

export const applyDisagrees = define<Path & { output: string }>('apply-disagrees', {
  exit: Exit.failed,
  place: atPath,
  message: ({ path, output }) =>
    `livegraft and \`git apply\` do not agree on how the patch changes ${path}${output === '' ? '' : `:\n${output}`}`,
  hint: 'this is a bug of livegraft: please report it with the patch',
});
