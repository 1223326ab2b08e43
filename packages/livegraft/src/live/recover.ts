/** What became of attempts that have no end in the journal: the kernel is asked, and the answer written down. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/journal.ts';
import { type Attempt, attemptsOf, strikesOf, wentDown } from '../host/journal/attempts.ts';
import type { JournalEntry } from '../host/journal/entry.ts';
import { type Journal, startOf } from '../host/journal/journal.ts';
import { readSwitch } from '../host/livepatch.ts';
import { readModule } from '../host/modules.ts';
import type { HostRoots } from '../host/roots.ts';
import { readProc } from '../host/tasks.ts';
import { problemOf } from './attempt.ts';

/** An attempt without an end, and what is known of it now. */
export interface OpenAttempt extends Attempt {
  /** `running`: its livegraft lives. `killed`: in this boot. `down`: the machine went down. `left`: to the kernel, in an earlier boot or this one. */
  readonly how: 'running' | 'killed' | 'down' | 'left';
  /** What the kernel says, for those of this boot. */
  readonly found?: Found;
}

/** `another`: a module of that name is loaded that was built otherwise. */
export type Found = 'active' | 'enabling' | 'disabling' | 'module-left' | 'coming' | 'nothing' | 'another';

/** Reads, and changes nothing. */
export function openAttempts(roots: HostRoots, entries: readonly JournalEntry[], bootId: string): OpenAttempt[] {
  return attemptsOf(entries).flatMap((attempt): OpenAttempt[] => {
    if (wentDown(attempt, bootId)) return [{ ...attempt, how: 'down' }];
    const here = attempt.bootId === bootId;
    if (attempt.state === 'left')
      return [{ ...attempt, how: 'left', ...(here ? { found: findOut(roots, attempt) } : {}) }];
    if (attempt.state !== 'open') return [];
    const lives = attempt.started !== undefined && startOf(roots, attempt.pid) === attempt.started;
    return [{ ...attempt, how: lives ? 'running' : 'killed', found: findOut(roots, attempt) }];
  });
}

export function findOut(roots: HostRoots, { name, moduleId }: Pick<Attempt, 'name' | 'moduleId'>): Found {
  const module = readModule(roots, name);
  if (module === undefined) return 'nothing';
  if (moduleId !== undefined && module.buildId !== moduleId) return 'another';
  const state = readSwitch(roots, name)?.state;
  if (state === 'active' || state === 'enabling' || state === 'disabling') return state;
  return module.state === 'live' || module.state === 'going' ? 'module-left' : 'coming';
}

export const foundWords: Readonly<Record<Found, string>> = {
  active: 'it is active',
  enabling: 'it is being enabled, and the kernel goes on with that',
  disabling: 'it is being taken back, and the kernel goes on with that',
  'module-left': 'it is not enabled; its module is loaded',
  coming: 'its module is just being loaded',
  nothing: 'nothing of it is loaded',
  another: 'another module of that name is loaded',
};

/** Closes what is open, under the kernel's lock, and tells of it. A journal that cannot be written is told too, and stops nothing here. */
export async function recover(journal: Journal): Promise<Diagnostic[]> {
  const { roots, bootId } = journal;
  const { entries, damaged } = journal.read();
  const told: Diagnostic[] = [];
  if (damaged.length > 0) {
    const lines = damaged.map(({ line }) => line);
    told.push(say.journalDamaged({ path: journal.path, lines, problem: damaged[0]!.problem }));
  }
  try {
    for (const open of openAttempts(roots, entries, bootId)) told.push(...(await close(journal, open)));
  } catch (error) {
    told.push(say.journalSilent({ path: journal.path, problem: problemOf(error) }));
  }
  return told;
}

async function close(journal: Journal, open: OpenAttempt): Promise<Diagnostic[]> {
  const { id, action, name, moduleId, time, pid, step, how } = open;
  const about = {
    attempt: id,
    action: action as 'load' | 'revert' | 'unload',
    name,
    ...(moduleId === undefined ? {} : { moduleId }),
  };
  if (how === 'running') return [];
  if (how === 'down') {
    await journal.append({ ...about, step: 'down' });
    return [wentDownOf(open, strikesOf(journal.read().entries, journal.bootId).get(moduleId ?? '')?.length ?? 1)];
  }
  if (how === 'left') {
    const { found = 'nothing' } = open;
    // the kernel still goes on with it
    if (open.bootId === journal.bootId && (found === 'enabling' || found === 'disabling')) return [];
    await journal.append({ ...about, step: 'settled', outcome: `found-${found}` });
    return open.bootId === journal.bootId ? [] : [say.attemptLeft({ action, name, time: when(time) })];
  }
  await helpersGone(journal.roots, name);
  const found = findOut(journal.roots, open);
  await journal.append({ ...about, step: 'end', outcome: `found-${found}` });
  return [say.attemptKilled({ action, name, pid, time: when(time), step, found: foundWords[found] })];
}

export function wentDownOf({ name, action, time, step, state }: Attempt, count: number): Diagnostic {
  const words: Readonly<Record<string, string>> = { load: 'loaded', revert: 'taken back', unload: 'unloaded' };
  const what = state === 'unsettled' ? 'given time to settle after the boot' : (words[action] ?? action);
  return say.machineWentDown({ name, what, time: when(time), step, count });
}

/** `2026-11-23 21:45:10 UTC` */
export function when(time: string): string {
  return `${time.slice(0, 19).replace('T', ' ')} UTC`;
}

/** Milliseconds that an orphaned insmod or rmmod may take: it is in the kernel, which lets it go in its own time. */
const helperPatience = 10_000;

/** insmod and rmmod outlive a livegraft that was killed, by design: what they do shows when they are done. */
async function helpersGone(roots: HostRoots, name: string): Promise<void> {
  const deadline = performance.now() + helperPatience;
  while (performance.now() < deadline && helperRuns(roots, name)) await sleep(50);
}

function helperRuns(roots: HostRoots, name: string): boolean {
  return readdirSync(roots.proc).some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    const words = (readProc(join(roots.proc, pid, 'cmdline')) ?? '').split('\0');
    const at = words.findIndex((word) => /(^|\/)(insmod|rmmod)$/.test(word));
    return at >= 0 && words.slice(at + 1).some((word) => word === name || word.endsWith(`/${name}.ko`));
  });
}
