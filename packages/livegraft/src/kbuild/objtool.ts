/**
 * Where kbuild runs objtool, and with it where tables about code come from (ORC, return and call sites, static calls): on each unit, whose
 * command then says so; or, with IBT or LTO, on what is linked (delay-objtool in scripts/Makefile.lib): vmlinux.o and each module.
 *
 * What objtool writes about a function it sees in the function's unit, so there livegraft runs it on each unit as kbuild does on a module of
 * one unit. Only which landing pads may be sealed is a question about all that is linked together: `klp/landing-pads.ts`.
 */
import type { Kernel } from '../kernel/types.ts';
import { moduleCommand } from './module-command.ts';
import type { UnitCommand } from './types.ts';

/** The command with what the link would do to the object. Throws what `moduleCommand` throws. */
export async function withObjtool(kernel: Kernel, command: UnitCommand, signal?: AbortSignal): Promise<UnitCommand> {
  if (command.post.length > 0) return command;
  const { post } = await moduleCommand(kernel, 'livegraft', 'livegraft', signal);
  return { ...command, post: post.filter(isDeferred) };
}

/** kbuild tells objtool that it works on something linked, just where it puts it off. */
function isDeferred(program: readonly string[]): boolean {
  return program.includes('--link');
}
