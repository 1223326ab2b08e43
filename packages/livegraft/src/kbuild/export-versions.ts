/**
 * The versions (CRCs) that modules check before they use an export: genksyms computes them from the types an export's
 * declaration reaches, and they change when one of those does (scripts/genksyms; CONFIG_MODVERSIONS).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { doesNotCompile } from '../diagnostics/kbuild.ts';
import type { Kernel } from '../kernel/types.ts';
import { run, tryRun } from '../support/exec.ts';
import { withTemporaryFolder } from '../support/files.ts';
import { inputOf } from './compile.ts';
import { errorLines } from './make.ts';
import { type PatchedTree, patchedCommand } from './tree.ts';
import type { UnitSource } from './types.ts';

export interface VersionsRequest {
  readonly kernel: Kernel;
  readonly unit: UnitSource;
  /** The patched source; absent: the kernel's own. */
  readonly tree?: PatchedTree;
  /** A folder for temporary files; nothing stays in it. */
  readonly scratch: string;
  readonly signal?: AbortSignal;
}

/**
 * The exports of a unit with their versions, by name.
 * @throws LivegraftError `does-not-compile` (exit 4), `program-failed`
 */
export async function exportVersions(request: VersionsRequest): Promise<ReadonlyMap<string, number>> {
  const { kernel, unit, tree, scratch } = request;
  const { source, build } = kernel.paths;
  const root = tree?.root ?? source;
  const words = tree === undefined ? unit.command.compile : patchedCommand(unit.command.compile, source, tree);
  const signal = request.signal === undefined ? {} : { signal: request.signal };
  return withTemporaryFolder(scratch, async (folder) => {
    const output = join(folder, 'unit.i');
    const args = [...words.slice(1), '-E', '-D__GENKSYMS__', '-o', output, inputOf(unit, kernel, tree)];
    const made = await tryRun(words[0]!, args, { cwd: build, env: { TMPDIR: folder }, group: true, ...signal });
    if (made.exitCode !== 0) {
      const said = errorLines(made.stderr).replaceAll(`${root}/`, '');
      throw new LivegraftError(doesNotCompile({ source: unit.source, output: said }));
    }
    const input = await readFile(output);
    const { stdout } = await run('scripts/genksyms/genksyms', ['-r', '/dev/null'], { cwd: build, input, ...signal });
    return parseVersions(stdout);
  });
}

/** Lines of a linker script (`__crc_NAME = 0xCRC;`) until 5.17, of a .cmd file since (`#SYMVER NAME 0xCRC`). */
export function parseVersions(text: string): ReadonlyMap<string, number> {
  const versions = new Map<string, number>();
  for (const [, assigned, crc, name, value] of text.matchAll(
    /^__crc_(\w+)\s*=\s*(0x[\da-f]+)\s*;|^#SYMVER (\w+) (0x[\da-f]+)/gm,
  )) {
    versions.set((assigned ?? name)!, Number(crc ?? value));
  }
  return versions;
}
