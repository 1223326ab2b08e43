/** Asks the kernel to take a livepatch, to reverse it, to let its module go. Never `force`. */
import { writeFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { kernelRefused, moduleInUse, switchRefused } from '../diagnostics/host.ts';
import { tryRun } from '../support/exec.ts';
import { withTemporaryFolder } from '../support/files.ts';
import { KernelLog } from './kernel-log.ts';
import { livepatchFolder } from './livepatch.ts';
import { readModule } from './modules.ts';
import { explainRefusal } from './refusal.ts';
import type { HostRoots } from './roots.ts';

/** Root's own, in memory, gone with the next boot. */
export const runFolder = '/run/livegraft';

/** `insmod` and `rmmod` are not in everybody's PATH. */
const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin` };

/**
 * Loads a module by its bytes, those that were checked: they go through a file of root's own. When it returns, the module's start is over and,
 * for a livepatch, its transition has begun. Throws `kernel-refused` (exit 7) with the kernel's own words.
 */
export async function insertModule(name: string, bytes: Uint8Array): Promise<void> {
  const log = new KernelLog();
  try {
    await withTemporaryFolder(runFolder, async (folder) => {
      await chmod(folder, 0o700);
      const path = join(folder, `${name}.ko`);
      await writeFile(path, bytes, { flag: 'wx', mode: 0o600 });
      // in a group of its own: Ctrl-C must not end it half-way
      const { exitCode, stderr } = await tryRun('insmod', [path], { group: true, env, writesNothing: true });
      if (exitCode === 0) return;
      const said = stderr.trim().split('\n').at(-1)?.split(': ').at(-1) ?? '';
      const lines = log.lines().filter((line) => isAbout(line, name));
      throw new LivegraftError(kernelRefused({ name, said, log: lines.slice(-8), ...explainRefusal(said, lines) }));
    });
  } finally {
    log.close();
  }
}

function isAbout(line: string, name: string): boolean {
  return /livepatch|module|signature|lockdown|disagrees|unknown symbol/i.test(line) || line.includes(name);
}

/**
 * Writes to a livepatch's `enabled`: 0 begins to take it back, or reverses its transition; 1 reverses that again.
 * @returns false when the kernel does not know it any more
 * Throws `switch-refused` (exit 7) otherwise.
 */
export function switchLivepatch(roots: HostRoots, name: string, enabled: 0 | 1): boolean {
  try {
    writeFileSync(join(livepatchFolder(roots), name, 'enabled'), String(enabled), { flag: 'r+' });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENODEV') return false;
    const known: Readonly<Record<string, string>> = {
      EBUSY: 'another livepatch is in transition',
      EINVAL: 'it is on that side already, or it was disabled and can only be loaded anew',
      EACCES: 'only root may do that',
    };
    const wanted = enabled === 0 ? 'disabled' : 'enabled again';
    throw new LivegraftError(switchRefused({ name, wanted, said: known[code ?? ''] ?? code ?? String(error) }));
  }
}

/**
 * Unloads a module that nothing uses, waiting up to `patience` milliseconds for its last user: for a moment after a revert the kernel is one.
 * Throws `module-in-use` (exit 7).
 */
export async function removeModule(roots: HostRoots, name: string, patience = 15_000): Promise<void> {
  const deadline = performance.now() + patience;
  for (let wait = 50; ; wait = Math.min(wait * 2, 500)) {
    const module = readModule(roots, name);
    if (module === undefined) return;
    if (module.references === 0 && module.state === 'live') {
      const { exitCode, stderr } = await tryRun('rmmod', [name], { group: true, env });
      if (exitCode === 0 || readModule(roots, name) === undefined) return;
      if (performance.now() >= deadline) {
        const said = stderr.trim().split('\n').at(-1)?.split(': ').at(-1) ?? '';
        throw new LivegraftError(moduleInUse({ name, said }));
      }
    } else if (performance.now() >= deadline) {
      throw new LivegraftError(moduleInUse({ name, said: `it has ${module.references} users and is ${module.state}` }));
    }
    await sleep(wait);
  }
}
