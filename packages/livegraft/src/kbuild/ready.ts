/** What the first build of a kernel would have to find out once, found out when the kernel comes into the cache. */
import { join } from 'node:path';
import type { Kernel } from '../kernel/types.ts';
import { readSourceIncludes } from '../patch/includes.ts';
import type { Progress } from '../support/progress.ts';
import { moduleCommand } from './module-command.ts';

/** Where the list of .c files that include others is kept, for this kernel's source. */
export function includesCache(kernel: Kernel): string {
  return join(kernel.dir, 'source-includes.json');
}

/** May be called again at any time; does nothing then. Throws what `readSourceIncludes` and `moduleCommand` throw. */
export async function readyForBuilds(
  kernel: Kernel,
  { progress, signal }: { readonly progress: Progress; readonly signal?: AbortSignal },
): Promise<void> {
  await progress.step('Prepare for builds', async (inner) => {
    inner.detail('which files of the source include others');
    await readSourceIncludes(kernel.paths.source, includesCache(kernel), signal === undefined ? {} : { signal });
    inner.detail('how modules are compiled');
    await moduleCommand(kernel, 'probe', 'probe', signal);
  });
}
