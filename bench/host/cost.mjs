// What a call costs while its function is patched, and while it is not: in instructions, which emulation counts exactly, and in its nanoseconds.
import { chooseKernel, compileModules, runScript } from './guest.mjs';
import { quantile } from './statistics.mjs';

const modules = ['callcost', 'costpatch_one', 'costpatch_two', 'costpatch_other'];
/** What is measured, in the order of the table. */
export const states = {
  bare: 'a function without an entry for ftrace',
  unpatched: 'unpatched',
  another: 'unpatched, another function of its module patched',
  other: 'that other one, patched',
  patched: 'patched',
  twice: 'patched by two livepatches',
  'once-again': 'the second one reverted',
  reverted: 'all reverted',
};

/**
 * State → a call: instructions (by a clock that counts them; the loop around the call is in it) and nanoseconds of the emulation, medians.
 * @param kernel its name; the tests' one unless given
 */
export async function measureCost(scratch, { kernel: name, runs = 9 } = {}) {
  const kernel = await chooseKernel(name);
  const folder = await compileModules(kernel, modules, scratch);
  const measure = async (options) => {
    const found = new Map();
    const said = [];
    let mhz = Number.NaN;
    const { exitCode, run } = await runScript(kernel, 'cost.sh', [folder, runs], {
      cpus: 1,
      memory: 1024,
      ...options,
      onLine: (line) => {
        said.push(line);
        if (line.startsWith('mhz ')) mhz = Number(line.slice(4));
        const [, state, calls, ticks] = /^cost (\S+) (\d+) (\d+)/.exec(line) ?? [];
        if (state !== undefined) found.set(state, [...(found.get(state) ?? []), Number(ticks) / Number(calls)]);
      },
    });
    if (exitCode !== 0) throw new Error(`the guest: ${run.why}\n${said.join('\n')}`);
    return new Map([...found].map(([state, values]) => [state, (quantile(values, 0.5) * 1000) / mhz]));
  };
  // with shift 0 a nanosecond is an instruction
  const counted = await measure({ instructionClock: 0 });
  const timed = await measure({});
  return {
    kernel: kernel.release,
    rows: Object.keys(states).map((state) => ({
      state,
      instructions: Math.round(counted.get(state)),
      ns: timed.get(state),
    })),
  };
}
