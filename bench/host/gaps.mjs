// The gaps in the execution of a program that wants to run every 100 µs: at rest, while a livepatch is loaded, in transition, active, reverted,
// and while stop_machine() holds the processors for a walk over all stacks. With few tasks and with a thousand more.
import { join } from 'node:path';
import { build, chooseKernel, compileModules, compileProgram, runScript } from './guest.mjs';

/** By number in a round of the guest's script; 0 is between them. */
const phaseNames = ['', 'at rest', 'load', 'transition', 'active', 'revert', 'unload', 'stop_machine'];
const shares = [0.5, 0.99, 0.999, 0.9999];

/**
 * `counted`: one processor, whose clock counts instructions (4 ns each): the same on any machine, busy or not; the program sleeps from mark to
 * mark at real-time priority. `parallel`: two processors, each a thread of this machine, which must be quiet; the program reads the clock without a pause on
 * the second one, and all else is on the first.
 */
const guests = {
  counted: { mode: 'sleep', options: { cpus: 1, memory: 1024, instructionClock: 2 } },
  parallel: { mode: 'spin', options: { cpus: 2, memory: 1024, parallel: true } },
};

/** Threads besides the usual tasks. */
const crowds = [0, 1000];

/** @param way `counted` or `parallel` */
export async function measureGaps(scratch, way, { kernel: name, patch, rest = 3, held = 3, walks = 10 } = {}) {
  const kernel = await chooseKernel(name);
  const bundle = build(kernel, patch, 'livegraft_gaps', scratch);
  const folder = await compileModules(kernel, ['stopwalk'], scratch);
  const { mode, options } = guests[way];
  const said = [];
  let measured;
  const found = [];
  const words = [
    join(bundle, 'livegraft_gaps.ko'),
    compileProgram('gaps', scratch),
    compileProgram('threads', scratch),
    join(folder, 'stopwalk.ko'),
    ...[mode, options.cpus - 1, rest, held, walks, ...crowds],
  ];
  const { exitCode, run } = await runScript(kernel, 'gaps.sh', words, {
    ...options,
    onLine: (line) => {
      if (line.startsWith('{')) measured = JSON.parse(line);
      else said.push(line);
      const [, count, tasks, frames, ns] = /^walk (\d+) (\d+) (\d+) (\d+)/.exec(line) ?? [];
      if (count !== undefined)
        found.push({ crowd: Number(count), tasks: Number(tasks), frames: Number(frames), ns: Number(ns) });
    },
  });
  if (exitCode !== 0 || measured === undefined) throw new Error(`the guest: ${run.why}\n${said.join('\n')}`);
  const complaints = run.findings.filter(({ severity }) => severity !== 'note').map(({ title }) => title);
  const phases = measured.phases
    .filter(({ phase }) => phase % 8 !== 0)
    .map(({ phase, marks, longest, histogram }) => ({
      crowd: crowds[Math.floor(phase / 8)],
      phase: phaseNames[phase % 8],
      marks,
      us: shares.map((share) => lateness(histogram, marks, share) / 1000),
      worst: longest / 1000,
      histogram: histogram.map(([number, count]) => [upperEnd(number) / 1000, count]),
    }));
  return { kernel: kernel.release, way, cpus: options.cpus, shares, phases, walks: found, complaints };
}

/** Nanoseconds: the largest of a bucket of guest/gaps.c, 16 of them for each power of two. */
export function upperEnd(number) {
  const next = number + 1;
  return number < 16 ? next : 2 ** Math.floor(next / 16) * (1 + (next % 16) / 16);
}

function lateness(histogram, marks, share) {
  let seen = 0;
  for (const [number, count] of histogram) {
    seen += count;
    if (seen >= share * marks) return upperEnd(number);
  }
  return upperEnd(histogram.at(-1)[0]);
}
