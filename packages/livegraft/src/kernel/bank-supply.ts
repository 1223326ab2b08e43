/** Packages out of a bank: what the manifest does not have is refused by name, and every file is checked by its hash before it is used. */
import { copyFile, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { bankDamaged, bankLacks, bankUnreadable } from '../diagnostics/kernel.ts';
import { tryRun } from '../support/exec.ts';
import { sweep, withTemporaryFolder } from '../support/files.ts';
import { type BankManifest, parseBankManifest } from './bank-manifest.ts';
import { debPath, hashOf, keep, notHere, sizeOfAll } from './debs.ts';
import { type Options, withSignal } from './options.ts';
import type { ArchivePackage } from './packages.ts';
import { debsDir } from './places.ts';
import type { Supply } from './supply.ts';

/** Opens a bank, folder or archive. Throws `bank-unreadable` (exit 4). */
export async function bankSupply(path: string, options: Options): Promise<Supply> {
  const bank = resolve(path);
  const manifest = await readManifest(bank, options);
  const releases = manifest.kernels.map(({ release }) => release);
  const lacks = (what: string): LivegraftError =>
    new LivegraftError(bankLacks({ path: bank, what, has: releases.join(', ') }));
  return {
    verb: 'Take from the bank:',
    kernel: (release) => {
      const kernel = manifest.kernels.find((each) => each.release === release);
      if (kernel === undefined) return Promise.reject(lacks(`kernel ${release}`));
      const { version, image, headers, source } = kernel;
      return Promise.resolve({ release, version, image, headers, source });
    },
    toolchain: ({ compiler, linker }) => {
      const kernel = manifest.kernels.find((each) => each.compiler === compiler && each.linker === linker);
      return kernel === undefined ? Promise.reject(lacks(`${compiler}, ${linker}`)) : Promise.resolve(kernel.toolchain);
    },
    get: async (wanted, received) => {
      const missing = await notHere(wanted, options.signal);
      if (missing.length > 0) await take(bank, missing, options);
      received(sizeOfAll(wanted));
      return wanted.map(debPath);
    },
  };
}

async function readManifest(bank: string, options: Options): Promise<BankManifest> {
  const there = await stat(bank).catch(() => undefined);
  const unreadable = (problem: string): LivegraftError => new LivegraftError(bankUnreadable({ path: bank, problem }));
  if (there === undefined) throw unreadable('there is nothing of that name');
  if (there.isDirectory()) {
    const text = await readFile(join(bank, 'manifest.json'), 'utf8').catch(() => undefined);
    if (text === undefined) throw unreadable('it has no manifest.json');
    return parseBankManifest(text, bank);
  }
  const { stdout, exitCode } = await tryRun('tar', ['-xOf', bank, 'manifest.json'], withSignal({}, options));
  if (exitCode !== 0) throw unreadable('it is no tar archive with a manifest.json');
  return parseBankManifest(stdout, bank);
}

/** Copies packages among our downloads. */
async function take(bank: string, wanted: readonly ArchivePackage[], options: Options): Promise<void> {
  await sweep(debsDir());
  await withTemporaryFolder(debsDir(), async (folder) => {
    const members = wanted.map(({ file }) => `debs/${file}`);
    const packed = !(await stat(bank)).isDirectory();
    if (packed) await tryRun('tar', ['-xf', bank, '-C', folder, ...members], withSignal({ group: true }, options));
    for (const each of wanted) {
      const [inside, copy] = [join(bank, 'debs', each.file), join(folder, 'debs', each.file)];
      const from = packed ? copy : join(folder, each.file);
      // the copy is what is checked and used: the bank may be on a disk that somebody else writes to
      if (!packed) await copyFile(inside, from).catch(() => undefined);
      const found = await hashOf(from, options.signal).catch(() => undefined);
      if (found !== each.sha256) {
        options.signal?.throwIfAborted();
        const file = `debs/${each.file}`;
        throw new LivegraftError(bankDamaged({ path: bank, file, found: found ?? 'nothing', expected: each.sha256 }));
      }
      await keep(each, from);
    }
  });
}
