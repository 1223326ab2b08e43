/** What every story of the demo uses: where it is told, how it gets its kernel and its livepatch. */
import { join } from 'node:path';
import { build } from '../build/build.ts';
import type { Bundle } from '../bundle/bundle.ts';
import type { Evidence } from '../bundle/evidence.ts';
import { readyForBuilds } from '../kbuild/ready.ts';
import { fetchKernel } from '../kernel/fetch.ts';
import { cacheDir } from '../kernel/places.ts';
import type { Kernel } from '../kernel/types.ts';
import type { Progress } from '../support/progress.ts';

/** What the demo tells and shows; the command line decides how. */
export interface Stage {
  readonly progress: Progress;
  readonly signal: AbortSignal;
  heading(text: string): void;
  tell(text: string): void;
  code(text: string): void;
  showBundle(bundle: Bundle): void;
  showEvidence(evidence: Evidence): void;
}

export interface DemoResult {
  readonly story: 'ext4' | 'example';
  readonly kernel: string;
  readonly passed: boolean;
  readonly bundle: string;
  /** Seconds. */
  readonly seconds: { readonly build: number };
  readonly trials: readonly Evidence[];
}

/** The kernel, ready for builds; fetched when it is not here. */
export async function getKernel(release: string, options: Pick<Stage, 'progress' | 'signal'>): Promise<Kernel> {
  const kernel = await fetchKernel(release, options);
  await readyForBuilds(kernel, options);
  return kernel;
}

/** Builds the livepatch and shows it. */
export async function buildLivepatch(
  stage: Stage,
  kernel: Kernel,
  patch: { readonly name: string; readonly bytes: Uint8Array },
): Promise<{ bundle: Bundle; seconds: number }> {
  const { progress, signal } = stage;
  const started = performance.now();
  const bundle = await progress.step('Build the livepatch', (inner) =>
    build({ patches: [patch], kernel, out: join(cacheDir(), 'demo'), replace: false, progress: inner, signal }),
  );
  const seconds = (performance.now() - started) / 1000;
  stage.showBundle(bundle);
  return { bundle, seconds };
}

/** The beginning of a patch, whole lines. */
export function excerpt(text: string, lines: number): string {
  const all = text.trimEnd().split('\n');
  return all.length <= lines
    ? all.join('\n')
    : [...all.slice(0, lines), `… ${all.length - lines} more lines`].join('\n');
}
