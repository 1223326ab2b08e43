/** What the kernel that runs here adds to the review of a bundle: what a load would say, and who would hold the transition back if it began now. */
import type { Bundle } from '../bundle/bundle.ts';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { type Foreseen, foreseeBlockers } from '../host/foresee.ts';
import { readRunningKernel } from '../host/kernel.ts';
import { readLivepatches } from '../host/livepatch.ts';
import type { HostRoots } from '../host/roots.ts';
import { asLivepatch } from './plan.ts';
import { aboutKernel, preflight } from './preflight.ts';

export interface Running extends Foreseen {
  readonly release: string;
  /** As of `livegraft load --dry-run`, errors first. */
  readonly findings: readonly Diagnostic[];
}

/** Throws `bundle-for-other-kernel`, `kernel-build-id-unknown` (exit 5), `livepatch-unsupported` (exit 7). */
export function requireRunning(what: Parameters<typeof aboutKernel>[0], roots: HostRoots): void {
  const [first, ...more] = aboutKernel(what, readRunningKernel(roots), roots);
  if (first !== undefined) throw new LivegraftError(first, ...more);
}

/** Reads, and changes nothing. Throws like `requireRunning`, and `tasks-unreadable`. */
export async function reviewRunning(bundle: Bundle, roots: HostRoots): Promise<Running> {
  requireRunning(bundle, roots);
  const { manifest } = bundle;
  const { kernel, findings } = await preflight(bundle, roots);
  const others = readLivepatches(roots).filter(({ name }) => name !== manifest.name);
  return { release: kernel.release, findings, ...(await foreseeBlockers(roots, asLivepatch(manifest), others)) };
}
