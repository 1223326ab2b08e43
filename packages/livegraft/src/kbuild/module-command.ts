/** How kbuild compiles a unit of an external module (`M=`): asked once with an empty file, then used for any module's name. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { doesNotCompile } from '../diagnostics/kbuild.ts';
import type { Kernel } from '../kernel/types.ts';
import { withTemporaryFolder, writeFileWhole } from '../support/files.ts';
import { parseCommand } from './command.ts';
import { errorLines, runMake, withBuildTree } from './make.ts';
import { plainRules } from './rules.ts';
import { savedCommand } from './shell.ts';
import type { UnitCommand } from './types.ts';

/** The name in the stored command that `moduleCommand` replaces. */
const probe = 'livegraft_probe';

interface StoredCommand {
  readonly schema: 1;
  /** The source folder that the command names. */
  readonly root: string;
  readonly command: UnitCommand;
}

/**
 * The command for a file of a new module.
 * @param module the module's name: letters, digits and `_`
 * @param unit the file's name without `.c` (KBUILD_BASENAME)
 * @throws LivegraftError `does-not-compile`, `command-not-understood` (exit 4), `config-drifted` (exit 5), `busy` (exit 75)
 */
export async function moduleCommand(
  kernel: Kernel,
  module: string,
  unit: string,
  signal?: AbortSignal,
): Promise<UnitCommand> {
  const kept = join(kernel.dir, 'module-command.json');
  const root = kernel.paths.source;
  const stored = async (): Promise<UnitCommand | undefined> => {
    const text = await readFile(kept, 'utf8').catch(() => 'null');
    const found = JSON.parse(text) as StoredCommand | null;
    return found?.schema === 1 && found.root === root ? found.command : undefined;
  };
  const ask = async (): Promise<UnitCommand> => {
    // several units may be compiled at a time, and the first has asked meanwhile
    const known = await stored();
    if (known !== undefined) return known;
    const command = await askKbuild(kernel, signal);
    await writeFileWhole(kept, JSON.stringify({ schema: 1, root, command } satisfies StoredCommand));
    return command;
  };
  const command = (await stored()) ?? (await withBuildTree(kernel, signal, ask));
  const rename = (word: string): string => {
    if (word.startsWith('-DKBUILD_BASENAME=')) return word.replace(probe, unit);
    return /^-D(KBUILD_MODNAME|KBUILD_MODFILE|__KBUILD_MODNAME)=/.test(word) ? word.replace(probe, module) : word;
  };
  return { compile: command.compile.map(rename), post: command.post };
}

async function askKbuild(kernel: Kernel, signal: AbortSignal | undefined): Promise<UnitCommand> {
  return withTemporaryFolder(kernel.dir, async (folder) => {
    await writeFile(join(folder, 'Kbuild'), `obj-m := ${probe}.o\n`);
    await writeFile(join(folder, `${probe}.c`), '');
    const made = await runMake(kernel, [await plainRules(kernel), `M=${folder}`, `${probe}.o`], signal);
    const saved = await readFile(join(folder, `.${probe}.o.cmd`), 'utf8').catch(() => '');
    // since 6.13 make works in the module's own folder (13b25489b6f8, "kbuild: change working directory to external module directory with M=")
    const [line, base] = [`${folder}/`, '']
      .map((each) => [savedCommand(saved, `${each}${probe}.o`), each] as const)
      .find(([found]) => found !== undefined) ?? [undefined, ''];
    if (made.exitCode !== 0 || line === undefined) {
      throw new LivegraftError(doesNotCompile({ source: 'an empty module', output: errorLines(made.stderr) }));
    }
    const command = parseCommand('an empty module', line, `${base}${probe}.o`, `${base}${probe}.c`);
    // include paths of the probe's folder itself (newer kbuild) lead nowhere later
    const compile = dropPaths(command.compile, folder);
    const post = command.post.map((words) => words.filter((word) => !word.includes(folder)));
    return { compile, post };
  });
}

function dropPaths(words: readonly string[], folder: string): string[] {
  const kept: string[] = [];
  for (const word of words) {
    if (!word.includes(folder)) kept.push(word);
    else if (word.startsWith('-DKBUILD_MODFILE=')) kept.push(`-DKBUILD_MODFILE="${probe}"`);
    else if (word === folder && /^-(I|include|isystem)$/.test(kept.at(-1) ?? '')) kept.pop();
  }
  return kept;
}
