/** How kbuild compiles a unit: asked once through make, read from the `.NAME.o.cmd` file it leaves, kept in the kernel's folder. */
import { readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import {
  commandNotUnderstood,
  doesNotCompile,
  includerDisabled,
  unitDisabled,
  unitNotBuilt,
  unitShared,
} from '../diagnostics/kbuild.ts';
import type { Kernel } from '../kernel/types.ts';
import { writeFileWhole } from '../support/files.ts';
import { isConfigured } from './configured.ts';
import { errorLines, runMake, withBuildTree } from './make.ts';
import { ShellSyntaxError, savedCommand, splitCommands } from './shell.ts';
import type { Unit, UnitCommand } from './types.ts';

interface StoredUnit {
  readonly schema: 1;
  /** The source folder that the command names; a kernel whose folder was moved is asked again. */
  readonly root: string;
  readonly unit: Unit;
}

/**
 * The unit of a .c file with its command: from the kernel's folder, or by running make once (seconds).
 * @param source path in the source tree
 * @throws LivegraftError `unit-not-built`, `unit-disabled`, `does-not-compile`, `unit-shared`, `command-not-understood` (exit 4);
 * `config-drifted` (exit 5); `busy` (exit 75)
 */
export async function findUnit(kernel: Kernel, source: string, signal?: AbortSignal): Promise<Unit> {
  const kept = join(kernel.dir, 'units', `${source}.json`);
  const stored = await readFile(kept, 'utf8')
    .then((text) => JSON.parse(text) as StoredUnit)
    .catch(() => undefined);
  const root = kernel.paths.source;
  if (stored?.schema === 1 && stored.root === root) return stored.unit;
  const unit = await withBuildTree(kernel, signal, () => askKbuild(kernel, source, signal));
  await writeFileWhole(kept, JSON.stringify({ schema: 1, root, unit } satisfies StoredUnit));
  return unit;
}

async function askKbuild(kernel: Kernel, source: string, signal: AbortSignal | undefined): Promise<Unit> {
  if (!(await isConfigured(kernel, source, signal))) {
    throw new LivegraftError(unitDisabled({ source, kernel: kernel.name }));
  }
  const target = source.replace(/\.c$/, '.o');
  const cmdFile = join(kernel.paths.build, dirname(target), `.${basename(target)}.cmd`);
  const made = await runMake(kernel, [target], signal);
  const output = `${made.stderr}\n${made.stdout}`;
  if (made.exitCode !== 0) {
    // kbuild removes the object, but a .cmd of an earlier kernel's day would be believed
    await rm(cmdFile, { force: true });
    const words = { source, output: errorLines(output) };
    throw new LivegraftError(/No rule to make target/.test(output) ? unitNotBuilt(words) : doesNotCompile(words));
  }
  const text = await readFile(cmdFile, 'utf8').catch(() => undefined);
  const line = text === undefined ? undefined : savedCommand(text, target);
  if (line === undefined)
    throw new LivegraftError(unitNotBuilt({ source, output: 'make made no command file for it' }));
  const command = parseCommand(source, line, target, join(kernel.paths.source, source));
  return { source, klpObject: klpObjectOf(source, command.compile), command };
}

/**
 * Takes a saved command apart.
 * @param object and `input` as they stand in the command
 */
export function parseCommand(source: string, line: string, object: string, input: string): UnitCommand {
  const refuse = (problem: string): never => {
    throw new LivegraftError(commandNotUnderstood({ source, problem, command: line }));
  };
  let commands: string[][];
  try {
    commands = splitCommands(line);
  } catch (error) {
    if (error instanceof ShellSyntaxError) return refuse(error.message);
    throw error;
  }
  const [compile, ...post] = commands;
  if (compile === undefined) return refuse('it is empty');
  const end = compile.slice(-4);
  if (end[0] !== '-c' || end[1] !== '-o' || end[2] !== object || end[3] !== input) {
    return refuse(`expected it to end with \`-c -o ${object} ${input}\``);
  }
  for (const command of post) {
    if (command.at(-1) !== object) refuse(`expected \`${command[0]}\` to work on ${object}`);
  }
  const kept = compile.slice(0, -4).filter((word) => !/^-Wp,-M/.test(word));
  return { compile: kept, post: post.map((command) => command.slice(0, -1)) };
}

/** With MODULE a unit is part of the module KBUILD_MODNAME (scripts/Makefile.lib: several are joined by colons). */
function klpObjectOf(source: string, compile: readonly string[]): string {
  if (!compile.includes('-DMODULE')) return 'vmlinux';
  const name = compile.map((word) => /^-DKBUILD_MODNAME="(.+)"$/.exec(word)?.[1]).find((found) => found !== undefined);
  if (name === undefined) {
    const problem = 'it has -DMODULE but no -DKBUILD_MODNAME';
    throw new LivegraftError(commandNotUnderstood({ source, problem, command: compile.join(' ') }));
  }
  const names = name.split(/[: ]+/);
  if (names.length > 1) throw new LivegraftError(unitShared({ source, modules: names }));
  return name.replaceAll('-', '_');
}

export interface FoundUnits {
  readonly units: readonly Unit[];
  readonly findings: readonly Diagnostic[];
}

/**
 * The units of several .c files. Those that are there only because they include a changed file (they are not in `changed`) are
 * left out with a note when the kernel's configuration does not have them.
 */
export async function findUnits(
  kernel: Kernel,
  sources: readonly string[],
  changed: readonly string[],
  signal?: AbortSignal,
): Promise<FoundUnits> {
  const units: Unit[] = [];
  const findings: Diagnostic[] = [];
  for (const source of sources) {
    if (!changed.includes(source) && !(await isConfigured(kernel, source, signal))) {
      findings.push(includerDisabled({ source }));
    } else units.push(await findUnit(kernel, source, signal));
  }
  return { units, findings };
}
