/**
 * Applies patches to copies of the source files they touch. Places are found by our own exact check, which can say what is wrong;
 * `git apply` then does the work in a scratch folder, and both results must agree byte for byte.
 */
import { lstat, readFile, realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { applyDisagrees, patchFileMissing, patchFileOdd } from '../diagnostics/patch.ts';
import { tryRun } from '../support/exec.ts';
import { makeFolder, withTemporaryFolder } from '../support/files.ts';
import { formatFile } from './format.ts';
import { markLines } from './lines.ts';
import { showPath } from './paths.ts';
import { applyPlaced, placeHunks, renumber } from './place.ts';
import { byteString, bytesOf, joinLines, type Line, splitLines } from './text.ts';
import type { Patch, PatchFile } from './types.ts';

export interface PatchedFile {
  readonly path: string;
  /** The file as the kernel's source has it; a byte string, like the others. */
  readonly original: string;
  /** The file after all patches. */
  readonly patched: string;
  /** `patched` with `#line` marks that keep unchanged code on its old line numbers: what is compiled. */
  readonly marked: string;
}

export interface AppliedPatches {
  /** By path in the source tree. */
  readonly files: ReadonlyMap<string, PatchedFile>;
  /** Notes, such as hunks that had moved. */
  readonly findings: readonly Diagnostic[];
}

export interface ApplyOptions {
  readonly patches: readonly Patch[];
  /** The source tree; only read. */
  readonly source: string;
  /** Which files to change (paths in the tree); changes to others are left out. */
  readonly paths: ReadonlySet<string>;
  /** A folder for temporary files; nothing stays in it. */
  readonly scratch: string;
  readonly signal?: AbortSignal;
}

interface State {
  readonly original: string;
  lines: Line[];
  /** For each line its number (1-based) in the original file; undefined for added lines. */
  origins: (number | undefined)[];
}

/**
 * Applies the patches one after the other.
 * @throws LivegraftError with all that does not apply: `patch-file-missing`, `patch-file-odd`, `hunk-fails`,
 * `hunk-already-applied`, `hunk-ambiguous`, `hunk-without-context` (exit 4); `apply-disagrees` (exit 1)
 */
export async function applyPatches(options: ApplyOptions): Promise<AppliedPatches> {
  const states = new Map<string, State>();
  const findings: Diagnostic[] = [];
  await withTemporaryFolder(options.scratch, async (folder) => {
    for (const patch of options.patches) {
      for (const file of patch.files) {
        if (!options.paths.has(file.path)) continue;
        options.signal?.throwIfAborted();
        const begin = file.change === 'create' ? makeRoom : copyIn;
        const state = states.get(file.path) ?? (await begin(patch, file, options.source, folder));
        states.set(file.path, state);
        findings.push(...(await applyFile(patch, file, state, folder, options.signal)));
      }
    }
  });
  const [first, ...more] = findings.filter((finding) => finding.severity === 'error');
  if (first !== undefined) throw new LivegraftError(first, ...more);
  const files = new Map<string, PatchedFile>();
  for (const [path, { original, lines, origins }] of states) {
    files.set(path, { path, original, patched: joinLines(lines), marked: joinLines(markLines(lines, origins)) });
  }
  return { files, findings };
}

/** Copies a file into the scratch folder. Only regular files inside the tree: a link could lead anywhere. */
async function copyIn(patch: Patch, file: PatchFile, source: string, folder: string): Promise<State> {
  const here = { patch: patch.name, line: file.patchLine, path: showPath(file.path) };
  const path = join(source, file.path);
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) throw new LivegraftError(patchFileMissing(here));
  if (!info.isFile()) throw new LivegraftError(patchFileOdd({ ...here, problem: 'not a regular file' }));
  if ((await realpath(path)) !== join(await realpath(source), file.path)) {
    throw new LivegraftError(patchFileOdd({ ...here, problem: 'reached through a symbolic link' }));
  }
  const original = byteString(await readFile(path));
  await makeFolder(dirname(join(folder, file.path)));
  await writeFile(join(folder, file.path), bytesOf(original));
  const lines = splitLines(original);
  return { original, lines, origins: lines.map((_, i) => i + 1) };
}

/** For a file that the patch adds: it must not be there. */
async function makeRoom(patch: Patch, file: PatchFile, source: string, folder: string): Promise<State> {
  if ((await lstat(join(source, file.path)).catch(() => undefined)) !== undefined) {
    const here = { patch: patch.name, line: file.patchLine, path: showPath(file.path) };
    throw new LivegraftError(patchFileOdd({ ...here, problem: 'there already, though the patch adds it,' }));
  }
  await makeFolder(dirname(join(folder, file.path)));
  return { original: '', lines: [], origins: [] };
}

/** Changes `state` and the scratch copy, unless a hunk does not fit. */
async function applyFile(
  patch: Patch,
  file: PatchFile,
  state: State,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<readonly Diagnostic[]> {
  const { placed, findings } = placeHunks(patch.name, file, state.lines);
  if (findings.some((finding) => finding.severity === 'error') || placed.length === 0) return findings;
  const ours = applyPlaced(state.lines, placed);
  const output = await gitApply(formatFile(file, renumber(placed)), folder, signal);
  const theirs = byteString(await readFile(join(folder, file.path)));
  if (output !== undefined || theirs !== joinLines(ours.lines)) {
    throw new LivegraftError(applyDisagrees({ path: showPath(file.path), output: output ?? '' }));
  }
  state.origins = ours.origins.map((index) => (index === undefined ? undefined : state.origins[index]));
  state.lines = ours.lines;
  return findings;
}

/**
 * Runs `git apply` as if the scratch folder were all there is: no configuration, no surrounding repository, no GIT_* variables.
 * @returns what it complained about, or undefined when it is content
 */
async function gitApply(text: string, folder: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  const { PATH = '/usr/bin:/bin' } = process.env;
  const clean = [
    '-i',
    `PATH=${PATH}`,
    'LC_ALL=C',
    'GIT_CONFIG_NOSYSTEM=1',
    'GIT_CONFIG_GLOBAL=/dev/null',
    `GIT_CEILING_DIRECTORIES=${dirname(await realpath(folder))}`,
  ];
  const result = await tryRun('env', [...clean, 'git', 'apply', '-p1', '--whitespace=nowarn', '-'], {
    cwd: folder,
    input: bytesOf(text),
    ...(signal === undefined ? {} : { signal }),
  });
  return result.exitCode === 0
    ? undefined
    : result.stderr.trim() || `git apply ended with exit code ${result.exitCode}`;
}
