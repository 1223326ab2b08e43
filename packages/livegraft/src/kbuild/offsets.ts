/** The numbers that a file like asm-offsets.c is compiled for: lines `.ascii "->NAME $12 …"` in assembly, made into a header by kbuild. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { doesNotCompile } from '../diagnostics/kbuild.ts';
import type { Kernel } from '../kernel/types.ts';
import { tryRun } from '../support/exec.ts';
import { withTemporaryFolder } from '../support/files.ts';
import { inputOf } from './compile.ts';
import { errorLines } from './make.ts';
import { moveArguments, type PatchedTree } from './tree.ts';
import type { UnitSource } from './types.ts';

/** @throws LivegraftError `does-not-compile` (exit 4) */
export function offsetsOf(
  kernel: Kernel,
  unit: UnitSource,
  tree: PatchedTree | undefined,
  scratch: string,
  signal: AbortSignal,
): Promise<string> {
  const { source, build } = kernel.paths;
  const { compile } = unit.command;
  const words = tree === undefined ? compile : moveArguments(compile, source, tree.root);
  return withTemporaryFolder(scratch, async (folder) => {
    const output = join(folder, 'offsets.s');
    const args = [...words.slice(1), '-g0', '-S', '-o', output, inputOf(unit, kernel, tree)];
    const ran = await tryRun(words[0]!, args, { cwd: build, group: true, env: { TMPDIR: folder }, signal });
    if (ran.exitCode !== 0) {
      throw new LivegraftError(doesNotCompile({ source: unit.source, output: errorLines(ran.stderr) }));
    }
    const text = await readFile(output, 'latin1');
    return (text.match(/^.*"->.*$/gm) ?? []).join('\n');
  });
}
