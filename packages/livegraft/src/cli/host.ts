/** What the commands for the running kernel share: who may use them, how long they wait, and how a transition is told. */
import process from 'node:process';
import { type Diagnostic, Exit, LivegraftError } from '../diagnostics/diagnostic.ts';
import { notRoot } from '../diagnostics/host.ts';
import type { Livepatch } from '../host/livepatch.ts';
import type { Story } from '../live/follow.ts';
import { plural } from '../support/plural.ts';
import { formatDuration } from './text.ts';

/** Throws `not-root` (exit 2). */
export function requireRoot(command: string): void {
  if (process.geteuid?.() !== 0) throw new LivegraftError(notRoot({ command }));
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** A finite number of seconds from 1 on. */
export function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 1e6))
    throw new SyntaxError(`a number of seconds from 1 on was expected, not ${JSON.stringify(text)}`);
  return value;
}

/** Of the commands that follow a transition. */
export const timeoutFlag = {
  kind: 'parsed',
  parse: seconds,
  default: '60',
  brief: 'Seconds that the transition may take',
  placeholder: 'SECONDS',
} as const;

/** `2 functions in vmlinux, ext4` */
export function functionsOf({ objects }: { readonly objects: Livepatch['objects'] }): string {
  const count = objects.reduce((sum, { functions }) => sum + functions.length, 0);
  return `${plural(count, 'function')} in ${objects.map(({ name }) => name).join(', ')}`;
}

/** `61 tasks moved in 0.9 s`; a transition that was over before it could be looked at has no figures. */
export function movedWords({ tasks, seconds: took }: Story): string {
  return `${tasks === 0 ? 'all tasks' : plural(tasks, 'task')} moved in ${formatDuration(took * 1000)}`;
}

/** The exit code of an end with these problems: the first error's; of an interrupted command the signal's. */
export function exitOf(problems: readonly Diagnostic[], interrupted: boolean): number {
  if (interrupted) return Number(process.exitCode ?? 130);
  return problems.find(({ severity }) => severity === 'error')?.exit ?? Exit.done;
}
