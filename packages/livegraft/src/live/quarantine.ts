/** Bundles that a machine went down with: told after the first time, kept out after the second, until somebody lifts it. */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/journal.ts';
import { type Strike, strikesOf } from '../host/journal/attempts.ts';
import type { JournalEntry } from '../host/journal/entry.ts';
import { Journal } from '../host/journal/journal.ts';
import { wentDownOf, when } from './recover.ts';

export interface Suspect {
  readonly name: string;
  readonly moduleId: string;
  readonly quarantined: boolean;
  /** When each of the attempts began, ISO 8601. */
  readonly times: readonly string[];
  /** What was being done. */
  readonly actions: readonly string[];
}

export function suspects(entries: readonly JournalEntry[], bootId: string): Suspect[] {
  return [...strikesOf(entries, bootId).values()].map((strikes) => ({
    name: strikes[0]!.name,
    moduleId: strikes[0]!.moduleId,
    quarantined: strikes.length >= say.strikes,
    times: strikes.map(({ attempt }) => attempt.time),
    actions: strikes.map(({ attempt }) => attempt.action),
  }));
}

/** What stands against this module: nothing, a warning, or a refusal. */
export function suspicion(entries: readonly JournalEntry[], bootId: string, moduleId: string): Diagnostic[] {
  const strikes = strikesOf(entries, bootId).get(moduleId) ?? [];
  if (strikes.length === 0) return [];
  if (strikes.length < say.strikes) return [wentDownOf(strikes[0]!.attempt, strikes.length)];
  return [say.quarantined({ name: strikes[0]!.name, times: strikes.map(strikeWords) })];
}

function strikeWords({ attempt }: Strike): string {
  return `${when(attempt.time)}, ${attempt.action}, after “${attempt.step}”`;
}

/** Takes back what stands against all bundles of a name. Throws `not-quarantined` (exit 2), `journal-unwritable`. */
export async function lift(journal: Journal, name: string): Promise<Suspect[]> {
  const all = suspects(journal.read().entries, journal.bootId);
  const meant = all.filter((each) => each.name === name);
  if (meant.length === 0) throw new LivegraftError(say.notQuarantined({ name, known: all.map((each) => each.name) }));
  for (const { moduleId } of meant)
    await journal.append({ attempt: Journal.attemptId(), action: 'lift', step: 'end', name, moduleId, exit: 0 });
  return meant;
}
