/** From a replaced function along its direct calls to where it waits: the shortest ways first, few calls deep, past what is only done on the way. */
import { type Code, plain } from './code.ts';
import { isAside, parkedIn } from './known.ts';
import { isWait, type Wait, waitsOf } from './waits.ts';

export interface WayToWait {
  /** From the replaced function, which is left out, to the one that waits. */
  readonly through: readonly string[];
  readonly wait: Wait;
  /** All functions on the way are of the patched units: parts of one job. */
  readonly within: boolean;
  /** Who is known to stand at the way’s end. */
  readonly who?: string;
}

/** Further away a wait is no matter of the function any more. */
const deepest = 3;
/** Functions that are looked at for one. */
const mostFunctions = 300;

/** For each kind of wait the shortest way, events before input and output, those that a signal ends first. */
export function waysToWait(start: Code): WayToWait[] {
  const ways: WayToWait[] = [];
  const seen = new Set<string>([start.name]);
  let level: { readonly code: Code; readonly through: readonly string[]; readonly within: boolean }[] = [
    { code: start, through: [], within: true },
  ];
  let looked = 0;
  for (let depth = 0; depth <= deepest && level.length > 0; depth++) {
    const next: typeof level = [];
    for (const { code, through, within } of level) {
      if (++looked > mostFunctions) break;
      const who = parkedIn(code.name);
      for (const wait of waitsOf(code)) ways.push({ through, wait, within, ...(who === undefined ? {} : { who }) });
      if (depth === deepest) continue;
      for (const { name } of code.calls) {
        if (seen.has(plain(name))) continue;
        seen.add(plain(name));
        if (isWait(name) || (isAside(name) && parkedIn(plain(name)) === undefined)) continue;
        const callee = code.callee(name);
        if (callee === undefined) continue;
        next.push({ code: callee, through: [...through, callee.name], within: within && callee.unit !== '' });
      }
    }
    level = next;
  }
  return firstOfEach(ways);
}

function firstOfEach(ways: readonly WayToWait[]): WayToWait[] {
  const sorted = ways.toSorted((a, b) => weight(a) - weight(b));
  const kinds = new Map<string, WayToWait>();
  for (const way of sorted) {
    const kind = `${way.wait.for} ${way.wait.manner} ${way.wait.timed}`;
    if (!kinds.has(kind)) kinds.set(kind, way);
  }
  return [...kinds.values()];
}

const manners = { interruptible: 0, idle: 1, killable: 2, uninterruptible: 3, unknown: 4 } as const;

function weight({ wait, through, who }: WayToWait): number {
  return (
    (wait.for === 'event' ? 0 : 1000) +
    (who === undefined ? 100 : 0) +
    10 * manners[wait.manner] +
    (wait.timed ? 5 : 0) +
    through.length
  );
}
