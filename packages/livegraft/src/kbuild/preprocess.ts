/**
 * What a unit's code depends on, as a digest: the same for original and patched source means that the unit's code stays what it is, and
 * need not be compiled. Digests are kept in the kernel's folder, with the files that the compiler read; the kernel's source and build
 * tree hardly ever change, so that it is enough that none of these files is newer than the digest.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { doesNotCompile, overlayLeaks } from '../diagnostics/kbuild.ts';
import type { Kernel } from '../kernel/types.ts';
import { tryRun } from '../support/exec.ts';
import { withTemporaryFolder, writeFileWhole } from '../support/files.ts';
import { identities, inputOf, readDependencies } from './compile.ts';
import { type DeclarationMemo, dependedOn, markLine } from './dependence.ts';
import { errorLines } from './make.ts';
import { sha256 } from './object-cache.ts';
import { type PatchedTree, patchedCommand } from './tree.ts';
import type { UnitSource } from './types.ts';
import { mayHaveWord, packWords } from './words.ts';

export interface Dependence {
  readonly digest: string;
  /** The files that were read: `@source/…` in the source tree or the patched tree in its place, absolute elsewhere. Links are resolved. */
  readonly files: readonly string[];
  /** The words that its code can depend on (`packWords`), in base 64; absent where that is not known. */
  readonly words?: string;
}

/** Whether the code may depend on one of the names. */
export function mayMention({ words }: Dependence, names: ReadonlySet<string>): boolean {
  if (words === undefined) return true;
  const packed = Buffer.from(words, 'base64');
  return [...names].some((name) => mayHaveWord(packed, name));
}

export interface DependenceReader {
  /** @throws LivegraftError `does-not-compile`, `overlay-leaks` (exit 4) */
  read(unit: UnitSource, how: How, tree: PatchedTree | undefined, signal?: AbortSignal): Promise<Dependence>;
}

/** `code`: only what code can depend on. `text`: everything, as for assembly. */
export type How = 'code' | 'text';

/** Changes with what is kept, so that older digests are not taken. */
const keptAs = 3;

interface Kept extends Dependence {
  readonly schema: 1;
  /** Milliseconds since 1970 when the compiler was started. */
  readonly made: number;
}

/**
 * @param patched path in the tree → text; tells digests of one patched tree from those of another
 * @param scratch a folder for temporary files
 */
export async function openDependences(
  kernel: Kernel,
  scratch: string,
  patched: ReadonlyMap<string, string>,
): Promise<DependenceReader> {
  const { source, build } = kernel.paths;
  const realSource = await realpath(source);
  const memo: DeclarationMemo = new Map();
  const real = cached((path: string) => realpath(path));
  const changed = cached(async (path: string) => {
    const info = await stat(path).catch(() => undefined);
    return info === undefined ? Number.POSITIVE_INFINITY : Math.max(info.mtimeMs, info.ctimeMs);
  });
  const identity = cached(async (program: string) => (await identities([program], build)).join());
  const texts = [...patched].sort(([a], [b]) => (a < b ? -1 : 1));
  const overlay = sha256(JSON.stringify(texts.map(([path, text]) => [path, sha256(text)])));

  return {
    read: async (unit, how, tree, signal) => {
      const tool = unit.command.compile[0]!;
      const key = sha256(
        JSON.stringify([
          keptAs,
          source,
          unit.command.compile,
          inputOf(unit, kernel),
          how,
          await identity(tool),
          tree === undefined ? '' : overlay,
        ]),
      );
      const path = join(kernel.dir, 'dependences', key.slice(0, 2), key);
      const kept = await readKept(path);
      if (kept !== undefined && (await isFresh(kept, tree))) return kept;
      const made = Date.now();
      const { text, read } = await preprocess(kernel, unit, tree, scratch, signal);
      const files = await Promise.all(read.map((file) => nameOf(unit.source, resolve(build, file), tree)));
      const wanted = how === 'code' ? dependedOn(text, memo) : undefined;
      const digest = sha256(wanted?.text ?? text.toString('latin1').replace(markLine, '').replace(/\s+/g, ' '));
      const words = wanted === undefined ? {} : { words: Buffer.from(packWords(wanted.words)).toString('base64') };
      const result: Kept = { schema: 1, made, digest, files: [...new Set(files)], ...words };
      await writeFileWhole(path, deflateRawSync(JSON.stringify(result), { level: 1 }));
      return result;
    },
  };

  async function isFresh({ made, files }: Kept, tree: PatchedTree | undefined): Promise<boolean> {
    for (const file of files) {
      const name = file.startsWith('@source/') ? file.slice('@source/'.length) : undefined;
      if (name !== undefined && tree?.files.has(name) === true) continue;
      if ((await changed(name === undefined ? file : `${realSource}/${name}`)) >= made) return false;
    }
    return true;
  }

  async function nameOf(unit: string, path: string, tree: PatchedTree | undefined): Promise<string> {
    const where = await real(path);
    if (tree !== undefined && where.startsWith(`${tree.root}/`)) return `@source/${where.slice(tree.root.length + 1)}`;
    if (!where.startsWith(`${realSource}/`)) return where;
    const name = where.slice(realSource.length + 1);
    if (tree?.files.has(name) === true) throw new LivegraftError(overlayLeaks({ source: unit, file: name }));
    return `@source/${name}`;
  }
}

async function preprocess(
  kernel: Kernel,
  unit: UnitSource,
  tree: PatchedTree | undefined,
  scratch: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly text: Buffer; readonly read: readonly string[] }> {
  const { source, build } = kernel.paths;
  const { compile } = unit.command;
  const words = tree === undefined ? compile : patchedCommand(compile, source, tree);
  return withTemporaryFolder(scratch, async (folder) => {
    const [output, deps] = [join(folder, 'unit.i'), join(folder, 'unit.d')];
    const args = [...words.slice(1), '-E', '-dU', `-Wp,-MD,${deps}`, '-o', output, inputOf(unit, kernel, tree)];
    const options = { cwd: build, group: true, env: { TMPDIR: folder }, ...(signal === undefined ? {} : { signal }) };
    const ran = await tryRun(words[0]!, args, options);
    if (ran.exitCode !== 0) {
      const said = errorLines(ran.stderr).replaceAll(`${tree?.root ?? source}/`, '');
      throw new LivegraftError(doesNotCompile({ source: unit.source, output: said }));
    }
    const [text, list] = await Promise.all([readFile(output), readFile(deps, 'latin1')]);
    return { text, read: readDependencies(list) };
  });
}

function readKept(path: string): Promise<Kept | undefined> {
  return readFile(path)
    .then((bytes) => JSON.parse(inflateRawSync(bytes).toString()) as Kept)
    .then((kept) => (kept.schema === 1 ? kept : undefined))
    .catch(() => undefined);
}

/** Asks once for each argument. */
function cached<T>(ask: (argument: string) => Promise<T>): (argument: string) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return (argument) => {
    const known = answers.get(argument);
    if (known !== undefined) return known;
    const answer = ask(argument);
    answers.set(argument, answer);
    return answer;
  };
}
