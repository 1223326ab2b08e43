/** Whether a bundle may be loaded as far as people are concerned: somebody answers for what it is now, and nobody rejected it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { changesSince, readSeen, type SeenFile } from '../bundle/contents.ts';
import { mailOf } from '../bundle/person.ts';
import { readSignOffs, type SignOff, statementOf } from '../bundle/sign-off.ts';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/sign-off.ts';
import type { HostRoots } from '../host/roots.ts';
import { checkSignature } from '../support/ssh-signature.ts';

/** Why a sign-off is required on this machine; undefined where none is. */
export function signOffRequired(roots: HostRoots, asked = false): string | undefined {
  if (asked) return '--require-sign-off';
  const file = join(roots.etc, 'require-sign-off');
  return existsSync(file) ? `${file} is there` : undefined;
}

export interface Signed {
  /** Who approved what the bundle is now, and is believed: `Name <mail>`. */
  readonly by: readonly string[];
  /** What keeps it from being loaded; none when it may be. */
  readonly problems: readonly Diagnostic[];
}

/**
 * The last word of each person counts. A rejection holds for the module whatever else of the bundle changes; an approval only for all that was
 * seen. Where ETC/allowed_signers is there, an approval must be signed by a key that it has for that mail address.
 * @param why a sign-off is required
 */
export async function judgeSignOffs(bundle: Bundle, roots: HostRoots, why: string): Promise<Signed> {
  let signOffs: SignOff[];
  let seen: SeenFile[];
  try {
    [signOffs, seen] = await Promise.all([readSignOffs(bundle), readSeen(bundle)]);
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    return { by: [], problems: error.diagnostics };
  }
  const { path } = bundle;
  const signers = join(roots.etc, 'allowed_signers');
  const mustProve = existsSync(signers);
  const approved: string[] = [];
  const rejected: Diagnostic[] = [];
  const doubts: Diagnostic[] = [];
  for (const all of byPerson(signOffs)) {
    let word: SignOff | undefined;
    for (const one of all) {
      const { by, verdict, signature } = one;
      if (verdict === 'rejected') {
        if (sameModule(one, bundle)) word = one;
        continue;
      }
      const changes = changesSince(one.files, seen);
      if (changes.length > 0) {
        doubts.push(say.signOffStale({ path, by, time: one.time, changes }));
        continue;
      }
      const said = mustProve
        ? signature === undefined
          ? 'it has no signature'
          : await checkSignature(signers, mailOf(by), statementOf(one), signature)
        : undefined;
      if (said !== undefined) doubts.push(say.signOffUnproved({ path, by, signers, said }));
      else word = one;
    }
    if (word?.verdict === 'approved') approved.push(word.by);
    else if (word !== undefined) rejected.push(say.signOffRejected({ ...pick(word), path }));
  }
  if (rejected.length > 0) return { by: approved, problems: rejected };
  if (approved.length > 0) return { by: approved, problems: [] };
  return { by: [], problems: doubts.length > 0 ? doubts : [say.signOffMissing({ path, why })] };
}

function byPerson(signOffs: readonly SignOff[]): SignOff[][] {
  const people = new Map<string, SignOff[]>();
  for (const one of signOffs) {
    const mail = mailOf(one.by);
    people.set(mail, [...(people.get(mail) ?? []), one]);
  }
  return [...people.values()];
}

function sameModule({ files }: SignOff, { manifest: { module } }: Bundle): boolean {
  return files.some(({ name, sha256 }) => name === module.file && sha256 === module.sha256);
}

function pick({ by, time, comment }: SignOff) {
  return { by, time, ...(comment === undefined ? {} : { comment }) };
}
