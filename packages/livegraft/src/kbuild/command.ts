/** The command by which kbuild compiles a unit, taken apart: what is replayed, and what it says of the unit. */
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { commandNotUnderstood, unitShared } from '../diagnostics/kbuild.ts';
import { ShellSyntaxError, splitCommands } from './shell.ts';
import type { UnitCommand } from './types.ts';

/**
 * Takes a saved command apart.
 * @param object and `input` as they stand in the command
 * @param mode what stands before the output: how far the compiler goes
 */
export function parseCommand(
  source: string,
  line: string,
  object: string,
  input: string,
  mode: readonly string[] = ['-c'],
): UnitCommand {
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
  const end = [...mode, '-o', object, input];
  if (!end.every((word, i) => word === compile.at(i - end.length))) {
    return refuse(`expected it to end with \`${end.join(' ')}\``);
  }
  for (const command of post) {
    if (command.at(-1) !== object) refuse(`expected \`${command[0]}\` to work on ${object}`);
  }
  const kept = compile.slice(0, -end.length).filter((word) => !/^-Wp,-M/.test(word));
  return { compile: kept, post: post.map((command) => command.slice(0, -1)) };
}

/** With MODULE a unit is part of the module KBUILD_MODNAME (scripts/Makefile.lib: several are joined by colons). */
export function klpObjectOf(source: string, compile: readonly string[]): string {
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
