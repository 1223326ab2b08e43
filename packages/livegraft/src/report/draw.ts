/** Draws `report.html` of a bundle anew from the files beside it. */
import { join } from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { type BundleParts, readConsistent, readPart } from '../bundle/contents.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/sign-off.ts';
import { writeFileWhole } from '../support/files.ts';
import { reportHtml } from './report.ts';

/** Writes it into the bundle, by rename. Throws as `readConsistent`. */
export async function drawReport(bundle: Bundle): Promise<void> {
  await writeFileWhole(join(bundle.path, 'report.html'), await reportOf(bundle));
}

/** Writes it to a file of the user's, by rename. Throws `report-unwritable` (exit 1), and as `readConsistent`. */
export async function drawInto(path: string, bundle: Bundle): Promise<void> {
  const text = await reportOf(bundle);
  await writeFileWhole(path, text).catch((error: NodeJS.ErrnoException) => {
    throw new LivegraftError(say.reportUnwritable({ path, problem: error.code ?? error.message }));
  });
}

async function reportOf(bundle: Bundle): Promise<string> {
  return reportHtml({ manifest: bundle.manifest, ...(await readConsistent(bundle)) });
}

/**
 * What is signed must be what was read. Throws `report-other` (exit 4).
 * @param parts as `readConsistent` has them
 */
export async function requireDrawn({ path, manifest }: Bundle, parts: BundleParts): Promise<void> {
  const there = await readPart(path, 'report.html');
  if (there === undefined) throw new LivegraftError(say.reportOther({ path, missing: true }));
  if (Buffer.from(there).toString() !== reportHtml({ manifest, ...parts }))
    throw new LivegraftError(say.reportOther({ path, missing: false }));
}
