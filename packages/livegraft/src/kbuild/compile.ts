/**
 * Compiles a unit by replaying kbuild's command without make: in the build tree, but with all output in a private folder, and
 * without debug information (the code is the same, and `pair` objects stay small).
 */
import { access, readFile, realpath, stat } from 'node:fs/promises';
import { basename, delimiter, join, relative, resolve } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { doesNotCompile, overlayLeaks, postFailed } from '../diagnostics/kbuild.ts';
import { toolchainIdOf } from '../kernel/toolchain.ts';
import type { Kernel } from '../kernel/types.ts';
import { tryRun } from '../support/exec.ts';
import { sweep, withTemporaryFolder } from '../support/files.ts';
import { errorLines } from './make.ts';
import { hashFile, objectCacheFolder, openObjectCache, sha256 } from './object-cache.ts';
import { withObjtool } from './objtool.ts';
import { inPool } from './pool.ts';
import { withoutFolders } from './source-paths.ts';
import { type PatchedTree, patchedCommand } from './tree.ts';
import type { UnitCommand, UnitSource, Variant } from './types.ts';

export interface CompileRequest {
  readonly kernel: Kernel;
  readonly unit: UnitSource;
  readonly variant: Variant;
  /** The patched source; absent: the kernel's own. */
  readonly tree?: PatchedTree;
  /** Objects are kept here; default `objectCacheFolder()`. */
  readonly cache?: string;
  readonly signal?: AbortSignal;
}

export interface CompiledUnit {
  readonly object: Uint8Array;
  readonly cached: boolean;
  /** What compiler and objtool said although they succeeded; empty for cached objects. */
  readonly warnings: string;
}

/** Flags that each variant adds after kbuild's. */
const variantFlags: Readonly<Record<Variant, readonly string[]>> = {
  proof: ['-g0'],
  pair: ['-g0', '-ffunction-sections', '-fdata-sections'],
};

/** @throws LivegraftError `does-not-compile`, `overlay-leaks` (exit 4), `post-failed` (exit 1), `program-missing` */
export async function compileUnit(request: CompileRequest): Promise<CompiledUnit> {
  const { kernel, unit, variant, tree } = request;
  return compileSource({
    kernel,
    name: unit.source,
    command: await withObjtool(kernel, unit.command, request.signal),
    input: inputOf(unit, kernel, tree),
    flags: variantFlags[variant],
    ...(tree === undefined ? {} : { tree }),
    ...(request.cache === undefined ? {} : { cache: request.cache }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
}

/** Compiles several, as many at a time as there are processors; results in order. The first failure ends the others. */
export function compileUnits(requests: readonly CompileRequest[], onDone?: () => void): Promise<CompiledUnit[]> {
  const work = async (request: CompileRequest, failed: AbortSignal): Promise<CompiledUnit> => {
    const signal = request.signal === undefined ? failed : AbortSignal.any([request.signal, failed]);
    const compiled = await compileUnit({ ...request, signal });
    onDone?.();
    return compiled;
  };
  return inPool(requests, work);
}

/** Where a unit's .c file is: in the source, in the patched tree, or in the build tree. */
export function inputOf(
  { source, spelled = source, generated }: UnitSource,
  kernel: Kernel,
  tree?: PatchedTree,
): string {
  if (generated === true) return spelled;
  // not joined: `..` must stay as kbuild has it, since __FILE__ shows it
  return `${tree?.root ?? kernel.paths.source}/${spelled}`;
}

export interface SourceRequest {
  readonly kernel: Kernel;
  /** For messages. */
  readonly name: string;
  readonly command: UnitCommand;
  /** The .c file, absolute. */
  readonly input: string;
  readonly flags: readonly string[];
  readonly tree?: PatchedTree;
  readonly cache?: string;
  readonly signal?: AbortSignal;
}

/** Compiles any C file with a command of kbuild's (`moduleCommand` for the code of a new module). Throws like `compileUnit`. */
export async function compileSource(request: SourceRequest): Promise<CompiledUnit> {
  const { kernel, command, tree } = request;
  const { source, build } = kernel.paths;
  const words = tree === undefined ? command.compile : patchedCommand(command.compile, source, tree);
  const folder = request.cache ?? objectCacheFolder();
  const root = tree?.root ?? source;
  const names = { source: root, build };
  const cache = openObjectCache(folder, (name) => resolveName(name, names));
  const key = sha256(
    JSON.stringify({
      schema: 2,
      compile: command.compile,
      post: command.post,
      flags: request.flags,
      tools: await identities([command.compile[0]!, ...command.post.map((program) => program[0]!)], build),
      source,
      input: storedName(request.input, names),
      text: await hashFile(resolve(build, request.input)),
    }),
  );
  request.signal?.throwIfAborted();
  const found = await cache.find(key);
  if (found !== undefined) return { object: found, cached: true, warnings: '' };

  await sweep(folder);
  return withTemporaryFolder(folder, async (scratch) => {
    const output = join(scratch, 'unit.o');
    const depsFile = join(scratch, 'unit.d');
    const options = { cwd: build, group: true, ...(request.signal === undefined ? {} : { signal: request.signal }) };
    const args = [...words.slice(1), ...request.flags, `-Wp,-MD,${depsFile}`, '-c', '-o', output, request.input];
    // the compiler's own temporary files go where they are removed with the rest
    const compiled = await tryRun(words[0]!, args, { ...options, env: { TMPDIR: scratch } });
    if (compiled.exitCode !== 0) {
      const said = errorLines(compiled.stderr).replaceAll(`${root}/`, '');
      throw new LivegraftError(doesNotCompile({ source: request.name, output: said }));
    }
    let warnings = compiled.stderr;
    for (const [program, ...programArgs] of command.post) {
      const result = await tryRun(program!, [...programArgs, output], options);
      if (result.exitCode !== 0) {
        const said = errorLines(result.stderr || result.stdout);
        throw new LivegraftError(postFailed({ source: request.name, program: program!, output: said }));
      }
      warnings += result.stderr;
    }
    const read = readDependencies(await readFile(depsFile, 'latin1'));
    if (tree !== undefined) await refuseLeaks(request.name, read, tree, kernel);
    const object = withoutFolders(await readFile(output), [root, source]);
    await cache.keep(key, [...new Set(read.map((path) => storedName(path, names)))], object);
    return { object, cached: false, warnings };
  });
}

/** The files after the colon of a make rule that the compiler wrote (-MD). */
export function readDependencies(text: string): string[] {
  const rule = text.replace(/\\\r?\n/g, ' ');
  const list = rule.slice(rule.indexOf(':') + 1).split('\n')[0] ?? '';
  return (list.match(/(?:\\ |[^ ])+/g) ?? []).map((word) => word.replace(/\\([ #])/g, '$1').replaceAll('$$', '$'));
}

/** No file that the patch changes may have been read in its old form. */
export async function refuseLeaks(
  name: string,
  read: readonly string[],
  tree: PatchedTree,
  kernel: Kernel,
): Promise<void> {
  const source = await realpath(kernel.paths.source);
  for (const path of read) {
    const inSource = relative(source, await realpath(join(path.startsWith('/') ? '' : kernel.paths.build, path)));
    if (tree.files.has(inSource)) throw new LivegraftError(overlayLeaks({ source: name, file: inSource }));
  }
}

interface Names {
  /** Source tree or patched tree: what is unchanged has the same name in both. */
  readonly source: string;
  readonly build: string;
}

function storedName(path: string, names: Names): string {
  if (path.startsWith(`${names.source}/`)) return `@source/${path.slice(names.source.length + 1)}`;
  return path.startsWith('/') ? path : `@build/${path.replace(/^\.\//, '')}`;
}

function resolveName(name: string, names: Names): string {
  if (name.startsWith('@source/')) return join(names.source, name.slice('@source/'.length));
  return name.startsWith('@build/') ? join(names.build, name.slice('@build/'.length)) : name;
}

/** What tells one build of a program from another: the id of its packages, else its file, size and time. */
export async function identities(programs: readonly string[], cwd: string): Promise<string[]> {
  const { PATH = '' } = process.env;
  return Promise.all(
    programs.map(async (program) => {
      const id = toolchainIdOf(program);
      if (id !== undefined) return `${id} ${basename(program)}`;
      const places = program.includes('/')
        ? [join(program.startsWith('/') ? '' : cwd, program)]
        : PATH.split(delimiter).map((folder) => join(folder, program));
      for (const place of places) {
        const found = await access(place).then(
          () => realpath(place),
          () => undefined,
        );
        if (found === undefined) continue;
        const { size, mtimeMs } = await stat(found);
        return `${found} ${size} ${mtimeMs}`;
      }
      return program;
    }),
  );
}
