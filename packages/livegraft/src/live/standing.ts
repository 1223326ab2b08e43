/** What livegraft's own files say, beside what the kernel says: what is enabled here and not loaded, and why; what is quarantined; what was left open. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { checkFailed } from '../diagnostics/host.ts';
import { type Attempt, attemptsOf } from '../host/journal/attempts.ts';
import type { JournalEntry } from '../host/journal/entry.ts';
import { readBootId, readJournal } from '../host/journal/journal.ts';
import { readRunningKernel } from '../host/kernel.ts';
import { livepatchFolder } from '../host/livepatch.ts';
import { readModule } from '../host/modules.ts';
import type { HostRoots } from '../host/roots.ts';
import { readProc } from '../host/tasks.ts';
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
    const isLoaded = there?.buildId === module.buildId && existsSync(join(livepatchFolder(roots), name));
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

function triedWords({ action, outcome, exit, codes, step }: Attempt): string {
  const code = codes?.[0] === undefined ? '' : `, ${codes[0]}`;
  return outcome === undefined
    ? `the last ${action} ended after “${step}”`
    : `the last ${action} ended with “${outcome}”${exit === undefined || exit === 0 ? '' : ` (exit code ${exit}${code})`}`;
}

/** Whether it is kept out: the machine went down with it twice. */
export function isQuarantined({ bundle }: Enabled, entries: readonly JournalEntry[], bootId: string): boolean {
  return suspicion(entries, bootId, bundle.manifest.module.buildId).some(({ severity }) => severity === 'error');
}
