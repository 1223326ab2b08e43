/** At boot: what is enabled for the kernel that runs is loaded, one after the other, and one that fails does not stop the next. */
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { attemptsOf } from '../host/journal/attempts.ts';
import type { Journal } from '../host/journal/journal.ts';
import type { HostRoots } from '../host/roots.ts';
import type { Progress } from '../support/progress.ts';
import { attempt } from './attempt.ts';
import { type Loaded, load } from './load.ts';
import { preflight } from './preflight.ts';
import { suspicion } from './quarantine.ts';
import { judgeSignOffs, signOffRequired } from './signed.ts';
import { isQuarantined } from './standing.ts';
import { type Enabled, supersededBy } from './store.ts';

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
  const why = signOffRequired(roots);
  const { problems: unsigned } = why === undefined ? { problems: [] } : await judgeSignOffs(bundle, roots, why);
  const problems = [...unsigned, ...before, ...findings];
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
