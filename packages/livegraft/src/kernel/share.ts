/**
 * Source trees of one series differ in few files; equal ones are kept once, as hard links. A source tree is never written to, and of its files only
 * content and name mean something.
 */
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { run } from '../support/exec.ts';
import { nearest } from './nearest.ts';
import { type Options, withSignal } from './options.ts';
import { kernelDir } from './places.ts';
import { listKernels } from './store.ts';

/** Links what is equal to a file of the nearest fetched kernel of the series. Nothing happens when there is none, or no hardlink(1) (util-linux 2.38). */
export async function shareSource(release: string, options: Options): Promise<void> {
  const sibling = siblingOf(
    release,
    (await listKernels()).filter(({ facts }) => facts.origin.kind === 'debian').map(({ name }) => name),
  );
  if (sibling === undefined) return;
  const folders = [sibling, release].map((name) => join(kernelDir(name), 'source'));
  await options.progress.step(`Keep what is equal in the source of ${sibling} once`, async () => {
    try {
      await run(
        'hardlink',
        ['-q', '--ignore-time', '--respect-name', ...folders],
        withSignal({ group: true }, options),
      );
    } catch (error) {
      // only space is lost: older util-linux has no hardlink, some file systems no hard links
      if (!(error instanceof LivegraftError)) throw error;
    }
  });
}

/** The kernel whose name is nearest among those of the same series. */
export function siblingOf(release: string, others: readonly string[]): string | undefined {
  const series = (name: string): string | undefined => /^\d+\.\d+/.exec(name)?.[0];
  const same = others.filter(
    (name) => name !== release && series(name) !== undefined && series(name) === series(release),
  );
  return nearest(release, same)[0];
}
