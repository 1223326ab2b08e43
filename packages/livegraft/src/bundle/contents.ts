/** What a reviewer of a bundle has before them: its files in a fixed order, and one digest of them all. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/sign-off.ts';
import { parseJson } from '../support/json.ts';
import { type Bundle, readReview } from './bundle.ts';
import { type Evidence, evidenceSchema } from './evidence.ts';
import type { Manifest } from './manifest.ts';
import type { Review } from './review.ts';

export interface SeenFile {
  readonly name: string;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** In this order; report.html and evidence.json need not be there. */
function namesOf({ module }: Manifest): string[] {
  return [module.file, 'manifest.json', 'review.json', 'report.html', 'patch.diff', 'glue.c', 'evidence.json'];
}

/**
 * The files that are there. The module is the one in memory, which is what gets loaded, whatever stands in the folder by now.
 * Throws `bundle-inconsistent` (exit 4) when one cannot be read.
 */
export async function readSeen({ path, manifest, module }: Bundle): Promise<SeenFile[]> {
  const seen: SeenFile[] = [];
  for (const name of namesOf(manifest)) {
    const content = name === manifest.module.file ? module : await readPart(path, name);
    if (content !== undefined) seen.push({ name, sha256: sha256(content) });
  }
  return seen;
}

/** sha256 of what `sha256sum FILE…` prints about these files. */
export function digestOf(seen: readonly SeenFile[]): string {
  return sha256(seen.map(({ name, sha256: hash }) => `${hash}  ${name}\n`).join(''));
}

/** What became of the files since: a word for each that is not as it was. */
export function changesSince(before: readonly SeenFile[], now: readonly SeenFile[]): string[] {
  const hashIn = (files: readonly SeenFile[], name: string) => files.find((file) => file.name === name)?.sha256;
  const names = new Set([...before, ...now].map(({ name }) => name));
  return [...names].flatMap((name) => {
    const [then, today] = [hashIn(before, name), hashIn(now, name)];
    if (then === today) return [];
    return [then === undefined ? `${name} was added` : today === undefined ? `${name} is gone` : `${name} changed`];
  });
}

/** What a reviewer is shown, beside the manifest. */
export interface BundleParts {
  readonly review: Review;
  readonly patches: readonly BundledPatch[];
  readonly glue: string;
  /** Absent before a trial. */
  readonly evidence?: Evidence;
}

/**
 * Reads the files of a bundle and checks them against each other: the review and the evidence are about this module, the patches are those that
 * were built. Throws `bundle-inconsistent`, `review-unreadable` (exit 4).
 */
export async function readConsistent(bundle: Bundle): Promise<BundleParts> {
  const { path, manifest } = bundle;
  const fail = (file: string, problem: string) => new LivegraftError(say.bundleInconsistent({ path, file, problem }));
  const review = await readReview(bundle);
  const patch = await readPart(path, 'patch.diff');
  if (patch === undefined) throw fail('patch.diff', 'it is missing');
  const patches = splitPatches(patch, manifest);
  if (patches === undefined) throw fail('patch.diff', 'it is not what was built');
  const glue = await readPart(path, 'glue.c');
  if (glue === undefined) throw fail('glue.c', 'it is missing');
  const evidence = await readEvidence(bundle);
  const parts = { review, patches, glue: Buffer.from(glue).toString() };
  return evidence === undefined ? parts : { ...parts, evidence };
}

async function readEvidence({ path, manifest }: Bundle): Promise<Evidence | undefined> {
  const file = 'evidence.json';
  const bytes = await readPart(path, file);
  if (bytes === undefined) return undefined;
  const fail = (problem: string) => new LivegraftError(say.bundleInconsistent({ path, file, problem }));
  const evidence = parseJson(evidenceSchema, Buffer.from(bytes).toString(), (problem) => fail(`it${problem}`));
  if (evidence.bundles[manifest.name] !== manifest.module.sha256)
    throw fail('it is not about this module; run `livegraft try` again');
  return evidence;
}

export interface BundledPatch {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The single patches that patch.diff was put together from; undefined when they are not those of the manifest, or it does not say where each ends. */
export function splitPatches(whole: Uint8Array, { patches }: Manifest): BundledPatch[] | undefined {
  const split: BundledPatch[] = [];
  let at = 0;
  for (const { name, size = patches.length === 1 ? whole.length : Number.NaN, sha256: hash } of patches) {
    const bytes = whole.subarray(at, at + size);
    if (sha256(bytes) !== hash) return undefined;
    split.push({ name, bytes });
    at += size;
  }
  return at === whole.length ? split : undefined;
}

/** Undefined when it is not there. */
export async function readPart(path: string, file: string): Promise<Uint8Array | undefined> {
  return readFile(join(path, file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new LivegraftError(say.bundleInconsistent({ path, file, problem: `it cannot be read (${error.code})` }));
  });
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
