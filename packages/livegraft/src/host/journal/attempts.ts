/** What the journal's entries mean: attempts, which of them have no end, and what counts against a bundle. */
import type { JournalEntry } from './entry.ts';

export interface Attempt {
  readonly id: string;
  readonly action: string;
  readonly name: string;
  readonly moduleId?: string;
  readonly bootId: string;
  /** Of its first entry. */
  readonly time: string;
  readonly pid: number;
  readonly started?: string;
  readonly uid: number;
  readonly user?: string;
  /** The last one that was written down. */
  readonly step: string;
  readonly outcome?: string;
  readonly exit?: number;
  readonly codes?: readonly string[];
  /**
   * `open`: no end is written down. `unsettled`: a load at boot that ended well, and whose time is not over. `left`: ended, with the kernel
   * going on alone. `down`: the machine went down meanwhile. `over`: the rest.
   */
  readonly state: 'open' | 'unsettled' | 'left' | 'down' | 'over';
}

/** Outcomes in which the kernel goes on with a transition that nobody followed. */
const goingOn = new Set(['started', 'reverting', 'found-enabling', 'found-disabling']);

/** In the order of their beginnings. */
export function attemptsOf(entries: readonly JournalEntry[]): Attempt[] {
  const groups = new Map<string, JournalEntry[]>();
  for (const entry of entries) groups.set(entry.attempt, [...(groups.get(entry.attempt) ?? []), entry]);
  const attempts = [...groups.values()].map(attemptOf);
  return attempts.map((attempt, index) => {
    const waits = attempt.state === 'unsettled' || attempt.state === 'left';
    return waits && attempts.slice(index + 1).some((later) => concludes(later, attempt))
      ? { ...attempt, state: 'over' }
      : attempt;
  });
}

function attemptOf(entries: readonly JournalEntry[]): Attempt {
  const first = entries[0]!;
  const last = entries.at(-1)!;
  const end = entries.findLast(({ step }) => step === 'end');
  const moduleId = entries.find((entry) => entry.moduleId !== undefined)?.moduleId;
  const { outcome, exit, codes } = end ?? {};
  return {
    id: first.attempt,
    action: first.action,
    name: first.name ?? '',
    ...(moduleId === undefined ? {} : { moduleId }),
    bootId: first.bootId,
    time: first.time,
    pid: first.pid,
    ...(first.started === undefined ? {} : { started: first.started }),
    uid: first.uid,
    ...(first.user === undefined ? {} : { user: first.user }),
    step: entries.findLast(({ step }) => step !== 'down')?.step ?? last.step,
    ...(outcome === undefined ? {} : { outcome }),
    ...(exit === undefined ? {} : { exit }),
    ...(codes === undefined ? {} : { codes }),
    state: stateOf(entries, end),
  };
}

function stateOf(entries: readonly JournalEntry[], end: JournalEntry | undefined): Attempt['state'] {
  const has = (step: string): boolean => entries.some((entry) => entry.step === step);
  if (has('down')) return 'down';
  if (has('settled')) return 'over';
  if (end === undefined) return 'open';
  if (end.pending === true) return 'unsettled';
  return goingOn.has(end.outcome ?? '') ? 'left' : 'over';
}

/** A livepatch that was taken back since has nothing left to settle or to end. */
function concludes(later: Attempt, earlier: Attempt): boolean {
  return (
    later.bootId === earlier.bootId &&
    later.name === earlier.name &&
    later.state === 'over' &&
    (later.outcome === 'reverted' || later.outcome === 'unloaded')
  );
}

/** A boot that ended while something was done with a bundle. */
export interface Strike {
  readonly attempt: Attempt;
  readonly name: string;
  readonly moduleId: string;
}

/** What stands against each bundle since that was last lifted: one strike a boot. Attempts of other boots without an end count before that is written down. */
export function strikesOf(entries: readonly JournalEntry[], bootId: string): Map<string, Strike[]> {
  const attempts = attemptsOf(entries);
  const position = (id: string): number => entries.findLastIndex(({ attempt }) => attempt === id);
  const strikes = new Map<string, Strike[]>();
  for (const attempt of attempts) {
    const { moduleId, name, state } = attempt;
    if (moduleId === undefined || !(state === 'down' || wentDown(attempt, bootId))) continue;
    const lifted = entries.findLastIndex((entry) => entry.action === 'lift' && entry.moduleId === moduleId);
    if (lifted > position(attempt.id)) continue;
    const earlier = strikes.get(moduleId) ?? [];
    if (earlier.some((strike) => strike.attempt.bootId === attempt.bootId)) continue;
    strikes.set(moduleId, [...earlier, { attempt, name, moduleId }]);
  }
  return strikes;
}

/** Its boot ended before it did. */
export function wentDown({ state, bootId }: Attempt, now: string): boolean {
  return bootId !== now && (state === 'open' || state === 'unsettled');
}

/** What a new file must begin with: attempts that are not over, and what stands against bundles. */
export function worthKeeping(entries: readonly JournalEntry[], bootId: string): JournalEntry[] {
  const struck = [...strikesOf(entries, bootId).values()].flat().map(({ attempt }) => attempt.id);
  const open = attemptsOf(entries).filter(({ state }) => state !== 'over' && state !== 'down');
  const keep = new Set([...struck, ...open.map(({ id }) => id)]);
  return entries.filter(({ attempt }) => keep.has(attempt));
}
