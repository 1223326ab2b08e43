/** Draws `report.html` of a bundle anew from the files beside it. */
import { join } from 'node:path';
import * as v from 'valibot';
import { type Bundle, readReview } from '../bundle/bundle.ts';
import { readPart, splitPatches } from '../bundle/contents.ts';
import type { Review } from '../bundle/review.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/sign-off.ts';
import { writeFileWhole } from '../support/files.ts';
import { type Evidence, evidenceSchema } from '../vm/evidence.ts';
import { reportHtml } from './report.ts';

/** The text that the bundle's files give. Throws `review-unreadable`, `bundle-inconsistent` (exit 4). */
export async function reportOf(bundle: Bundle, review?: Review): Promise<string> {
  const { path, manifest } = bundle;
  const fail = (file: string, problem: string) => new LivegraftError(say.bundleInconsistent({ path, file, problem }));
  const [patch, glue, evidence] = await Promise.all([
    readPart(path, 'patch.diff'),
    readPart(path, 'glue.c'),
    readEvidence(bundle),
  ]);
  if (patch === undefined) throw fail('patch.diff', 'it is missing');
  if (glue === undefined) throw fail('glue.c', 'it is missing');
  const patches = splitPatches(patch, manifest);
  if (patches === undefined) throw fail('patch.diff', 'it is not what was built');
  return reportHtml({
    manifest,
    review: review ?? (await readReview(bundle)),
    patches,
    glue: Buffer.from(glue).toString(),
    ...(evidence === undefined ? {} : { evidence }),
  });
}

/** Writes it into the bundle, by rename. Throws as `reportOf`. */
export async function drawReport(bundle: Bundle): Promise<void> {
  await writeFileWhole(join(bundle.path, 'report.html'), await reportOf(bundle));
}

/** Writes it to a file of the user's, by rename. Throws `report-unwritable` (exit 1), and as `reportOf`. */
export async function drawInto(path: string, bundle: Bundle, review: Review): Promise<void> {
  const text = await reportOf(bundle, review);
  await writeFileWhole(path, text).catch((error: NodeJS.ErrnoException) => {
    throw new LivegraftError(say.reportUnwritable({ path, problem: error.code ?? error.message }));
  });
}

/** What is signed must be what was read. Throws `report-other`, and as `reportOf` (exit 4). */
export async function requireDrawn(bundle: Bundle, review: Review): Promise<void> {
  const { path } = bundle;
  const there = await readPart(path, 'report.html');
  if (there === undefined) throw new LivegraftError(say.reportOther({ path, missing: true }));
  if (Buffer.from(there).toString() !== (await reportOf(bundle, review)))
    throw new LivegraftError(say.reportOther({ path, missing: false }));
}

/** Undefined before a trial. Throws `bundle-inconsistent` when it is damaged or about another module. */
export async function readEvidence({ path, manifest }: Bundle): Promise<Evidence | undefined> {
  const bytes = await readPart(path, 'evidence.json');
  if (bytes === undefined) return undefined;
  const fail = (problem: string) =>
    new LivegraftError(say.bundleInconsistent({ path, file: 'evidence.json', problem }));
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw fail(`it is no JSON: ${(error as Error).message}`);
  }
  const parsed = v.safeParse(evidenceSchema, json);
  if (!parsed.success) throw fail(`${v.getDotPath(parsed.issues[0]) ?? 'the whole'}: ${parsed.issues[0].message}`);
  if (parsed.output.bundles[manifest.name] !== manifest.module.sha256)
    throw fail('it is not about this module; run `livegraft try` again');
  return parsed.output;
}
