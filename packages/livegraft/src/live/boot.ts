/** At boot: what is enabled for the kernel that runs is loaded, one after the other, and one that fails does not stop the next. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { checkFailed } from '../diagnostics/host.ts';
import { type Attempt, attemptsOf } from '../host/journal/attempts.ts';
import type { JournalEntry } from '../host/journal/entry.ts';
import { type Journal, readBootId, readJournal } from '../host/journal/journal.ts';
import { readRunningKernel } from '../host/kernel.ts';
import { readModule } from '../host/modules.ts';
import type { HostRoots } from '../host/roots.ts';
import { readProc } from '../host/tasks.ts';
import type { Progress } from '../support/progress.ts';
import { attempt } from './attempt.ts';
import { type Loaded, load } from './load.ts';
import { preflight } from './preflight.ts';
import { type Suspect, suspects, suspicion } from './quarantine.ts';
import { type OpenAttempt, openAttempts } from './recover.ts';
import { type Enabled, readEnabled, type Store, supersededBy } from './store.ts';

/** What keeps the boot from loading anything; undefined when nothing does. */
export function switchedOff(roots: HostRoots): string | undefined {
  const words = (readProc(join(roots.proc, 'cmdline')) ?? '').trim().split(/\s+/);
  if (words.includes('livegraft=off')) return 'livegraft=off is on the kernel’s command line';
  const file = join(roots.etc, 'off');
  return existsSync(file) ? `${file} is there` : undefined;
}

/** What is enabled for the kernel that runs. */
export async function enabledHere(roots: HostRoots): Promise<Store> {
  const { release, buildId } = readRunningKernel(roots);
  return buildId === undefined ? { enabled: [], broken: [] } : readEnabled(roots, { release, buildId });
}

/** `superseded`: a later one replaces all before it. `refused`: quarantined, or by the preflight. */
export interface Booted {
  readonly name: string;
  readonly outcome: Loaded['outcome'] | 'loaded-before' | 'superseded' | 'refused' | 'failed';
  readonly loaded?: Loaded;
  readonly by?: string;
  /** Errors first. */
  readonly problems: readonly Diagnostic[];
}

export interface BootRequest {
  readonly roots: HostRoots;
  readonly journal: Journal;
  readonly enabled: readonly Enabled[];
  /** Seconds for one transition. */
  readonly timeout: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** At boot: each counts as ended when it has settled. */
  readonly settlesLater: boolean;
  readonly onBooted: (booted: Booted) => void;
}

export async function bootAll(request: BootRequest): Promise<Booted[]> {
  const all: Booted[] = [];
  for (const each of request.enabled) {
    if (request.signal.aborted) break;
    const booted = await bootOne(each, request);
    request.onBooted(booted);
    all.push(booted);
  }
  return all;
}

async function bootOne(
  one: Enabled,
  { roots, journal, enabled, timeout, progress, signal, settlesLater }: BootRequest,
): Promise<Booted> {
  const { bundle } = one;
  const { name, module } = bundle.manifest;
  const fit = enabled.filter((each) => !isQuarantined(each, journal.read().entries, journal.bootId));
  const by = supersededBy(fit, one)?.bundle.manifest.name;
  if (by !== undefined) return { name, outcome: 'superseded', by, problems: [] };
  const before = suspicion(journal.read().entries, journal.bootId, module.buildId);
  const { findings } = await preflight(bundle, roots);
  if (findings.some(({ code }) => code === 'already-loaded')) return { name, outcome: 'loaded-before', problems: [] };
  const problems = [...before, ...findings];
  if (problems.some(({ severity }) => severity === 'error')) return { name, outcome: 'refused', problems };
  try {
    const facts = { action: 'load', name, moduleId: module.buildId, settlesLater } as const;
    const request = { bundle, roots, timeout, onStall: 'revert', wait: true, progress, signal } as const;
    const { result, troubles } = await attempt(journal, facts, (mark) => load({ ...request, mark }));
    return { name, outcome: result.outcome, loaded: result, problems: [...result.problems, ...problems, ...troubles] };
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    return { name, outcome: 'failed', problems: [...error.diagnostics, ...problems] };
  }
}

/** The machine has run for a while with what was loaded at boot, or goes down properly: that stands against no bundle any more. */
export async function settle(journal: Journal): Promise<string[]> {
  const waiting = attemptsOf(journal.read().entries).filter(
    ({ state, bootId }) => state === 'unsettled' && bootId === journal.bootId,
  );
  for (const { id, name, moduleId } of waiting)
    await journal.append({
      attempt: id,
      action: 'load',
      step: 'settled',
      name,
      ...(moduleId === undefined ? {} : { moduleId }),
    });
  return waiting.map(({ name }) => name);
}

/** What livegraft's own files say, beside what the kernel says. */
export interface Standing {
  /** Enabled for the kernel that runs, in the order of loading. */
  readonly enabled: readonly Waiting[];
  /** What keeps the next boot from loading them; null when nothing does. */
  readonly off: string | null;
  /** Quarantined, or suspected after one time. */
  readonly suspects: readonly Suspect[];
  /** Attempts without an end in the journal. */
  readonly attempts: readonly OpenAttempt[];
  /** Lines of the journal, from 1, that cannot be read. */
  readonly damaged: readonly number[];
}

export async function readStanding(roots: HostRoots): Promise<Standing> {
  const bootId = readBootId(roots);
  const { entries, damaged } = readJournal(roots);
  return {
    enabled: await waitingHere(roots, entries, bootId),
    off: switchedOff(roots) ?? null,
    suspects: suspects(entries, bootId),
    attempts: openAttempts(roots, entries, bootId),
    damaged: damaged.map(({ line }) => line),
  };
}

/** What is enabled and should be loaded, and is not. */
export function checkStanding({ enabled }: Standing): Diagnostic[] {
  return enabled
    .filter(({ loaded, superseded }) => !loaded && superseded !== true)
    .map(({ name, why = '' }) =>
      checkFailed({ name, problem: `It is enabled for this kernel and not loaded: ${why}` }),
    );
}

/** Enabled for the kernel that runs and not loaded, and why. */
export interface Waiting {
  readonly name: string;
  readonly moduleId: string;
  readonly loaded: boolean;
  /** Another that is enabled replaces it: that it is not loaded is as it should be. */
  readonly superseded?: true;
  /** Absent when it is loaded. */
  readonly why?: string;
}

async function waitingHere(roots: HostRoots, entries: readonly JournalEntry[], bootId: string): Promise<Waiting[]> {
  const { enabled, broken } = await enabledHere(roots);
  const attempts = attemptsOf(entries);
  // one that is kept out replaces nothing
  const fit = enabled.filter((one) => !isQuarantined(one, entries, bootId));
  const off = switchedOff(roots);
  const whole = enabled.map((one): Waiting => {
    const { name, module } = one.bundle.manifest;
    const about = { name, moduleId: module.buildId };
    const there = readModule(roots, name);
    const isLoaded = there?.buildId === module.buildId && existsSync(join(roots.sys, 'kernel/livepatch', name));
    if (isLoaded) return { ...about, loaded: true };
    const tried = attempts.findLast((each) => each.moduleId === module.buildId && each.bootId === bootId);
    const by = supersededBy(fit, one)?.bundle.manifest.name;
    const refused = isQuarantined(one, entries, bootId);
    const why =
      by !== undefined
        ? `${by} replaces it`
        : refused
          ? 'it is quarantined'
          : off !== undefined
            ? off
            : there !== undefined
              ? 'a module of its name is loaded'
              : tried === undefined
                ? 'nobody has loaded it since the machine was booted'
                : triedWords(tried);
    return { ...about, loaded: false, why, ...(by === undefined ? {} : { superseded: true as const }) };
  });
  return [
    ...whole,
    ...broken.map(({ place = '', message }) => ({
      name: place.split('/').at(-1)!,
      moduleId: '',
      loaded: false,
      why: message,
    })),
  ];
}

function isQuarantined({ bundle }: Enabled, entries: readonly JournalEntry[], bootId: string): boolean {
  return suspicion(entries, bootId, bundle.manifest.module.buildId).some(({ severity }) => severity === 'error');
}

function triedWords({ action, outcome, exit, codes, step }: Attempt): string {
  const code = codes?.[0] === undefined ? '' : `, ${codes[0]}`;
  return outcome === undefined
    ? `the last ${action} ended after “${step}”`
    : `the last ${action} ended with “${outcome}”${exit === undefined || exit === 0 ? '' : ` (exit code ${exit}${code})`}`;
}
