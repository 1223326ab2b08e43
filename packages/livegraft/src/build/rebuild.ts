/** Whether a bundle is what its own inputs give: built again from them, and compared byte for byte. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { readPart, splitPatches } from '../bundle/contents.ts';
import { type Difference, firstDifference } from '../bundle/first-difference.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/sign-off.ts';
import { cacheDir } from '../kernel/places.ts';
import { listKernels } from '../kernel/store.ts';
import type { Kernel } from '../kernel/types.ts';
import { drawReport } from '../report/draw.ts';
import { sweep, withTemporaryFolder } from '../support/files.ts';
import type { Progress } from '../support/progress.ts';
import { version } from '../version.ts';
import { build } from './build.ts';

export interface Rebuilt {
  /** Each file that a build makes; `equal`, or where it first differs: the bundle's on the left. */
  readonly files: readonly { readonly name: string; readonly difference?: Difference }[];
  readonly kernel: Kernel;
}

/**
 * Nothing is taken from the cache but the kernel: every unit is compiled anew.
 * Throws `rebuild-other-livegraft` (exit 1), `rebuild-no-kernel`, `rebuild-no-inputs`, `bundle-inconsistent` (exit 4), and like `build`.
 */
export async function rebuild(
  bundle: Bundle,
  options: { readonly progress: Progress; readonly signal?: AbortSignal },
): Promise<Rebuilt> {
  const { path, manifest } = bundle;
  const { name, replace } = manifest;
  if (manifest.livegraft !== version)
    throw new LivegraftError(say.rebuildOtherLivegraft({ path, built: manifest.livegraft, here: version }));
  const patches = await inputsOf(bundle);
  const kernel = await kernelOf(bundle);
  const home = join(cacheDir(), 'scratch');
  await sweep(home);
  return withTemporaryFolder(home, async (out) => {
    const made = await build({ ...options, patches, kernel, out, name, replace, objects: join(out, 'objects') });
    // the report has what a trial brought, which no build can make again
    const evidence = await readPart(path, 'evidence.json');
    if (evidence !== undefined && made.manifest.module.sha256 === manifest.module.sha256) {
      await writeFile(join(made.path, 'evidence.json'), evidence);
      await drawReport(made);
    }
    const names = [manifest.module.file, 'manifest.json', 'review.json', 'report.html', 'glue.c', 'patch.diff'];
    const files: Rebuilt['files'][number][] = [];
    for (const file of names) {
      const theirs = file === manifest.module.file ? bundle.module : await readPart(path, file);
      const ours = file === manifest.module.file ? made.module : await readPart(made.path, file);
      if (theirs === undefined && ours === undefined) continue;
      const nothing = new Uint8Array(0);
      const difference = firstDifference(file, theirs ?? nothing, ours ?? nothing);
      files.push({ name: file, ...(difference === undefined ? {} : { difference }) });
    }
    return { files, kernel };
  });
}

async function inputsOf(bundle: Bundle) {
  const { path, manifest } = bundle;
  const whole = await readPart(path, 'patch.diff');
  const inconsistent = (problem: string) =>
    new LivegraftError(say.bundleInconsistent({ path, file: 'patch.diff', problem }));
  if (whole === undefined) throw inconsistent('it is missing');
  const patches = splitPatches(whole, manifest);
  if (patches !== undefined) return patches;
  const { length: count } = manifest.patches;
  if (count > 1 && manifest.patches.some(({ size }) => size === undefined))
    throw new LivegraftError(say.rebuildNoInputs({ path, count }));
  throw inconsistent('it is not what was built');
}

/** By build-id; under another name it is the same kernel. */
async function kernelOf({ path, manifest: { kernel } }: Bundle): Promise<Kernel> {
  const here = await listKernels();
  const named = here.find(({ name }) => name === kernel.name);
  const found = [named, ...here].find((each) => each?.facts.buildId === kernel.buildId);
  if (found !== undefined) return { ...found, name: kernel.name };
  const { name, buildId } = kernel;
  const other = named === undefined ? {} : { found: named.facts.buildId };
  throw new LivegraftError(say.rebuildNoKernel({ path, kernel: name, buildId, ...other }));
}
