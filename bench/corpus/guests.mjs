// What was built, in its kernel: `livegraft try` with many bundles a guest.
import { join } from 'node:path';
import { livegraft } from './program.mjs';
import { judge } from './verdicts.mjs';

/**
 * Tries the bundles of the records, many a guest; `onLoad` hears of each as it is decided. A bundle that fails ends its guest for the
 * bundles behind it, so these are tried again without it, and it is tried once more alone: what fails only after others is worth knowing.
 * @param {{ program: string, kernel: string, out: string, jobs: number, perGuest: number, signal: AbortSignal }} run
 */
export async function tryAll(records, run, onLoad) {
  const queue = [];
  const batches = Math.ceil(records.length / run.perGuest);
  const each = Math.ceil(records.length / batches);
  for (let i = 0; i < records.length; i += each) queue.push({ records: records.slice(i, i + each) });
  const worker = async () => {
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
      const { decided, again } = judge(batch, await tryBatch(batch, run));
      for (const [record, load] of decided) onLoad(record, load);
      queue.push(...again);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: run.jobs }, worker));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** What a module asks the kernel for while it is loaded, beyond what it is linked against; the guest has only what it was given. */
const onDemand = { rxrpc: ['pcbc', 'fcrypt'], kafs: ['pcbc', 'fcrypt'] };

async function tryBatch({ records, later = false }, { program, kernel, out, signal }) {
  const bundles = records.map((record) => join(out, 'bundles', record.bundle));
  const more = new Set(records.flatMap((record) => record.objects.flatMap((object) => onDemand[object] ?? [])));
  const args = ['try', ...bundles, '--kernel', kernel, '--memory', '2048'];
  args.push(...[...more].flatMap((module) => ['--module', module]), ...(later ? ['--targets-later'] : []));
  return livegraft({ program, args, timeout: 600 + 120 * records.length, signal });
}
