/** Detached signatures by SSH keys, made and checked by the system's own ssh-keygen (SSHSIG: PROTOCOL.sshsig of OpenSSH). */

import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { keyRefused } from '../diagnostics/sign-off.ts';
import { tryRun } from './exec.ts';
import { withTemporaryFolder } from './files.ts';

/** So that a signature made for something else, as a commit, is none here. */
const namespace = 'livegraft';

/**
 * Signs a text. A passphrase is asked for by ssh-keygen itself, on the terminal.
 * @param key file of a private key, or of the public key of one that ssh-agent holds
 * @returns the armored signature
 * @throws LivegraftError `signing-failed`, `program-missing` (exit 1)
 */
export async function signText(key: string, text: string): Promise<string> {
  const { exitCode, stdout, stderr } = await tryRun('ssh-keygen', ['-Y', 'sign', '-f', key, '-n', namespace], {
    input: text,
  });
  if (exitCode === 0 && stdout.startsWith('-----BEGIN SSH SIGNATURE-----')) return stdout;
  throw new LivegraftError(keyRefused({ key, said: lastLine(stderr) || `exit code ${exitCode}` }));
}

/**
 * Whether one of the keys that a file of allowed signers (ssh-keygen(1)) has for this person signed the text, and the key is valid now.
 * @param signer the principal: their mail address
 * @returns undefined when it is so, otherwise what ssh-keygen said
 * @throws LivegraftError `program-missing` (exit 1)
 */
export async function checkSignature(
  allowedSigners: string,
  signer: string,
  text: string,
  signature: string,
): Promise<string | undefined> {
  return withTemporaryFolder(tmpdir(), async (folder) => {
    const file = join(folder, 'signature');
    await writeFile(file, signature);
    const args = ['-Y', 'verify', '-f', allowedSigners, '-I', signer, '-n', namespace, '-s', file];
    const { exitCode, stdout, stderr } = await tryRun('ssh-keygen', args, { input: text });
    return exitCode === 0 ? undefined : lastLine(stderr) || lastLine(stdout) || `exit code ${exitCode}`;
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!.trim();
}
