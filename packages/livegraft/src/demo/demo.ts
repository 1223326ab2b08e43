/** The demo: which of its stories the archive still allows. */
import { type AvailableKernel, listAvailable, newestWhole } from '../kernel/debian.ts';
import { tryOpenKernel } from '../kernel/store.ts';
import { playExample } from './example.ts';
import { broken, playExt4, repaired } from './ext4.ts';
import type { DemoResult, Stage } from './stage.ts';

/** Plays the ext4 story, or the example where the archive no longer has the kernels for it. */
export async function playDemo(stage: Stage, examples: string): Promise<DemoResult> {
  const { progress, signal } = stage;
  const here = await tryOpenKernel(broken);
  const offered = await listAvailable({ progress, signal }).catch((error: unknown) => {
    if (here === undefined) throw error;
    return [] as AvailableKernel[];
  });
  const fetchable = offered.filter((kernel) => kernel.missing.length === 0);
  const canBreak = here !== undefined || fetchable.some((kernel) => kernel.release === broken);
  const canRepair = fetchable.some((kernel) => kernel.version === repaired.version);
  if (canBreak && canRepair) return playExt4(stage);
  const newest = newestWhole(offered, /^6\.1\.0-\d+-amd64$/);
  const missing = [canBreak ? '' : broken, canRepair ? '' : repaired.release]
    .filter((each) => each !== '')
    .join(' and ');
  stage.tell(
    `The archive no longer has ${missing}, which the ext4 story needs. Playing an example on the newest release instead.`,
  );
  return playExample(stage, newest ?? broken, examples, 'proc-meminfo');
}
