/** Before tests that need a kernel: fetches one into the cache, once, and names it to them by the environment. */
import { listAvailable, newestWhole } from '../kernel/debian.ts';
import { fetchKernel } from '../kernel/fetch.ts';
import { tryOpenKernel } from '../kernel/store.ts';
import type { Progress } from '../support/progress.ts';

/** The kernel with the ext4 regression; any other of its series does for the rest. */
const usual = '6.1.0-55-amd64';

/** `LIVEGRAFT_KERNEL=RELEASE` runs tests on another one; what they know of the usual kernel (its addresses, its defects) fails there. */
const preferred = process.env['LIVEGRAFT_KERNEL'] ?? usual;

export default async function provideKernel(): Promise<void> {
  const kernel = (await tryOpenKernel(preferred)) ?? (await fetchKernel(await choose(), { progress: lines }));
  process.env['LIVEGRAFT_TEST_KERNEL'] = kernel.name;
  process.stdout.write(`Kernel for the tests: ${kernel.name}, ${kernel.facts.banner.replace(/^.*#/, '#')}\n`);
}

async function choose(): Promise<string> {
  if (preferred !== usual) return preferred;
  const offered = await listAvailable({ progress: lines });
  if (offered.some(({ release, missing }) => release === usual && missing.length === 0)) return usual;
  const newest = newestWhole(offered, /^6\.1\.0-\d+-amd64$/) ?? usual;
  process.stdout.write(`The archive no longer has ${usual}; taking ${newest}\n`);
  return newest;
}

/** What takes long, a line each. */
const lines: Progress = {
  step: (title, work) => {
    process.stdout.write(`${title}\n`);
    return work(lines);
  },
  detail: () => undefined,
  say: (text) => process.stdout.write(`${text}\n`),
};
