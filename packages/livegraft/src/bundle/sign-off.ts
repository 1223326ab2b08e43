/** `sign-offs.json`: who answers for a bundle, when, with which verdict, and the digest of all they saw. Only added to; versioned; read back it is checked field by field. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/sign-off.ts';
import { syncFolder, writeFileWhole } from '../support/files.ts';
import { parseJson } from '../support/json.ts';
import { withLock } from '../support/lock.ts';
import { type Bundle, readBundle } from './bundle.ts';
import { changesSince, digestOf, readConsistent, readSeen, type SeenFile } from './contents.ts';
import { linePattern, personPattern } from './person.ts';

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const line = v.pipe(v.string(), v.regex(linePattern, 'control characters'));

const signOffSchema = v.object({
  /** `Name <mail>`. */
  by: v.pipe(v.string(), v.regex(personPattern, 'not of the form Name <mail>')),
  /** ISO 8601, UTC. */
  time: v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)),
  verdict: v.picklist(['approved', 'rejected']),
  comment: v.exactOptional(line),
  /** What they saw, in the order of `bundle/contents.ts`. */
  files: v.pipe(v.array(v.object({ name: line, sha256: hash })), v.readonly()),
  /** `digestOf` these. */
  digest: hash,
  /** Of `statementOf` this, armored, as `ssh-keygen -Y sign -n livegraft` makes it. */
  signature: v.exactOptional(v.string()),
});

const schema = v.object({ schema: v.literal(1), signOffs: v.array(signOffSchema) });

export type SignOff = Readonly<v.InferOutput<typeof signOffSchema>>;

export function signOffsPath(bundle: Pick<Bundle, 'path'>): string {
  return join(bundle.path, 'sign-offs.json');
}

/** The oldest first; none where there is no file. Throws `sign-offs-unreadable` (exit 4). */
export async function readSignOffs(bundle: Pick<Bundle, 'path'>): Promise<SignOff[]> {
  const path = signOffsPath(bundle);
  const unreadable = (problem: string) => new LivegraftError(say.signOffsUnreadable({ path, problem }));
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw unreadable(error.code ?? error.message);
  });
  if (text === undefined) return [];
  const { signOffs } = parseJson(schema, text, (problem) => unreadable(`it${problem}`));
  const odd = signOffs.findIndex(({ files, digest }) => digestOf(files) !== digest);
  if (odd >= 0) throw unreadable(`signOffs.${odd}: the digest is not that of the files`);
  return signOffs;
}

/** What a signature is about: all of the record, one fact a line, and the files as `sha256sum` prints them. */
export function statementOf({ by, time, verdict, comment, files }: Omit<SignOff, 'digest' | 'signature'>): string {
  const facts = [
    `by ${by}`,
    `time ${time}`,
    `verdict ${verdict}`,
    ...(comment === undefined ? [] : [`comment ${comment}`]),
  ];
  const seen = files.map(({ name, sha256 }) => `${sha256}  ${name}`);
  return `${['livegraft sign-off 1', ...facts, ...seen].join('\n')}\n`;
}

export interface SignOffRequest {
  readonly bundle: Bundle;
  /** As `readSeen` had it when it was shown to whoever signs. */
  readonly seen: readonly SeenFile[];
  readonly by: string;
  readonly verdict: SignOff['verdict'];
  readonly comment?: string;
  /** When it is signed. */
  readonly time: Date;
  /** Makes the signature of a statement. */
  readonly sign?: (statement: string) => Promise<string>;
}

/** Milliseconds that a second signer waits. */
const patience = 60_000;

/**
 * Adds one to a bundle's. Throws `bundle-inconsistent`, `bundle-changed-meanwhile`, `sign-off-unwritable`, `sign-offs-unreadable`,
 * `busy`, and what `sign` throws.
 * @returns all of them, the new one last
 */
export async function addSignOff(request: SignOffRequest): Promise<SignOff[]> {
  const { bundle, by, verdict, comment, time, seen: files } = request;
  const { path } = bundle;
  const facts = { by, time: time.toISOString(), verdict, ...(comment === undefined ? {} : { comment }), files };
  const record: SignOff = {
    ...facts,
    digest: digestOf(files),
    // asks for a passphrase, perhaps: not while others wait for the lock
    ...(request.sign === undefined ? {} : { signature: await request.sign(statementOf(facts)) }),
  };
  try {
    // the bundle's own file and not one of the cache, which every user has another of
    const lock = { what: `the bundle ${path}`, wait: patience, foreign: true } as const;
    return await withLock(join(path, 'manifest.json'), lock, async () => {
      const now = await readBundle(path);
      await readConsistent(now);
      const changes = changesSince(files, await readSeen(now));
      if (changes.length > 0) throw new LivegraftError(say.changedMeanwhile({ path, changes }));
      const signOffs = [...(await readSignOffs(bundle)), record];
      await writeFileWhole(signOffsPath(bundle), `${JSON.stringify({ schema: 1, signOffs }, null, 2)}\n`);
      await syncFolder(path);
      return signOffs;
    });
  } catch (error) {
    const problem = refusals[(error as NodeJS.ErrnoException).code ?? ''];
    if (problem === undefined || error instanceof LivegraftError) throw error;
    throw new LivegraftError(say.signOffUnwritable({ path, problem }));
  }
}

const refusals: Readonly<Record<string, string>> = {
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'the file system is read-only',
};
