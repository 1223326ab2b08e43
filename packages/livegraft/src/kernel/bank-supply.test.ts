import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silent } from '../support/progress.ts';
import { bankSupply } from './bank-supply.ts';
import type { ArchivePackage } from './packages.ts';

const options = { progress: silent };
const silentCount = (): void => undefined;
const compiler = 'gcc-14 (Debian 14.2.0-19) 14.2.0';
const linker = 'GNU ld (GNU Binutils for Debian) 2.44';

const content = (name: string): string => `the package ${name}`;
const pkg = (name: string): ArchivePackage => ({
  name,
  version: '1-1',
  depends: '',
  size: content(name).length,
  sha256: createHash('sha256').update(content(name)).digest('hex'),
  file: `${name}_1-1_amd64.deb`,
});
const [image, headers, source, gcc] = ['linux-image-r', 'linux-headers-r', 'linux-source-6.1', 'gcc-14'].map(pkg);
const manifest = {
  schema: 1,
  made: '2026-11-28T00:00:00.000Z',
  kernels: [{ release: 'r', version: '1-1', image: [image], headers, source, compiler, linker, toolchain: [gcc] }],
};

let folder: string;
let bank: string;
const cache = process.env['XDG_CACHE_HOME'];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livegraft-bank-'));
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
  bank = join(folder, 'bank');
  await mkdir(join(bank, 'debs'), { recursive: true });
  await writeFile(join(bank, 'manifest.json'), JSON.stringify(manifest));
  for (const each of [image!, headers!, gcc!]) await writeFile(join(bank, 'debs', each.file), content(each.name));
  execFileSync('tar', ['-cf', `${bank}.tar`, '-C', bank, 'manifest.json', 'debs']);
});
afterAll(async () => {
  if (cache === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = cache;
  await rm(folder, { recursive: true, force: true });
});

describe('bankSupply', () => {
  test.each(['', '.tar'])('a bank%s gives kernels, toolchains and checked packages', async (ending) => {
    await rm(join(folder, 'cache'), { recursive: true, force: true });
    const supply = await bankSupply(`${bank}${ending}`, options);
    expect(await supply.kernel('r')).toEqual({ release: 'r', version: '1-1', image: [image], headers, source });
    expect(await supply.toolchain({ compiler, linker }, 'trixie')).toEqual([gcc]);
    const [path, other] = await supply.get([gcc!, image!], silentCount);
    expect(await readFile(path!, 'utf8')).toBe(content('gcc-14'));
    expect(await readFile(other!, 'utf8')).toBe(content('linux-image-r'));
  });

  test('what it does not have is refused by name', async () => {
    const supply = await bankSupply(bank, options);
    const lacks = (what: string) => ({ code: 'bank-lacks', message: expect.stringContaining(what) as string });
    await expect(supply.kernel('other')).rejects.toMatchObject(lacks('kernel other'));
    await expect(supply.toolchain({ compiler, linker: `${linker}.1` }, undefined)).rejects.toMatchObject(
      lacks('2.44.1'),
    );
    await expect(bankSupply(join(folder, 'none'), options)).rejects.toMatchObject({ code: 'bank-unreadable' });
  });

  test.each(['', '.tar'])('a file that is gone or changed, in a bank%s: nothing of it is kept', async (ending) => {
    await rm(join(folder, 'cache'), { recursive: true, force: true });
    const damaged = `${bank}2`;
    execFileSync('cp', ['-r', bank, damaged]);
    await writeFile(join(damaged, 'debs', gcc!.file), 'the package gcc-15');
    execFileSync('tar', ['-cf', `${damaged}.tar`, '-C', damaged, 'manifest.json', 'debs']);
    const supply = await bankSupply(`${damaged}${ending}`, options);
    for (const each of [gcc!, source!]) {
      await expect(supply.get([each], silentCount)).rejects.toMatchObject({
        code: 'bank-damaged',
        message: expect.stringContaining(each.file) as string,
      });
    }
    expect(await readdir(join(folder, 'cache/livegraft/debs'))).toEqual([]);
    await rm(damaged, { recursive: true });
  });

  test('a manifest that leads elsewhere or is none', async () => {
    const bad = join(folder, 'bad');
    await mkdir(bad);
    const write = async (text: string) => writeFile(join(bad, 'manifest.json'), text);
    for (const [text, problem] of [
      ['{', 'no JSON'],
      [JSON.stringify({ ...manifest, schema: 2 }), 'schema'],
      [JSON.stringify(manifest).replace('gcc-14_1-1_amd64.deb', '../../x.deb'), 'toolchain.0.file'],
    ] as const) {
      await write(text);
      await expect(bankSupply(bad, options)).rejects.toMatchObject({
        code: 'bank-unreadable',
        message: expect.stringContaining(problem) as string,
      });
    }
  });
});
