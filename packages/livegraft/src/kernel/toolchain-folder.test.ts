import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../support/exec.ts';
import { toolchainsDir } from './places.ts';
import { toolchainIdOf, toolchainOf } from './toolchain.ts';
import { toolchainId, wrapper } from './toolchain-folder.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "livegraft toolchain's "));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('wrapper', () => {
  const loader = 'lib/ld.so';
  test('starts the program through the loader of its own folder, by the name it is called by; a driver gets its passes', async () => {
    // shells in the place of a loader and a program
    const files = {
      [`root/${loader}`]: '#!/bin/sh\nprintf "%s|" "$@"\n',
      'bin/gcc-10': wrapper({ place: 'bin', loader, libraries: ['lib', 'usr/lib'], program: 'usr/bin/gcc-10' }),
      'lib/cc1': wrapper({ place: 'lib', loader, libraries: ['lib'], program: 'usr/libexec/cc1' }),
    };
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
      await chmod(join(folder, name), 0o755);
    }
    const driver = await run(join(folder, 'bin/gcc-10'), ['-c', 'a b']);
    const root = join(folder, 'root');
    expect(driver.stdout.split('|')).toEqual([
      '--inhibit-cache',
      '--library-path',
      `${root}/lib:${root}/usr/lib`,
      `${root}/usr/bin/gcc-10`,
      `-B${folder}/lib/`,
      '-c',
      'a b',
      '',
    ]);
    const pass = await run(join(folder, 'lib/cc1'), ['-quiet']);
    expect(pass.stdout.split('|').slice(3)).toEqual([`${root}/usr/libexec/cc1`, '-quiet', '']);
    // wherever the folder is, also through a link
    await symlink(folder, `${folder}2`);
    expect((await run(join(`${folder}2`, 'lib/cc1'), [])).stdout).toContain(`${folder}2/root/usr/libexec/cc1`);
    await rm(`${folder}2`);
    expect(await readFile(join(folder, 'lib/cc1'), 'utf8')).not.toContain('-B');
  });
});

describe('toolchainId', () => {
  test('of what is in the packages, in whatever order', () => {
    const [a, b] = [{ sha256: 'aa' }, { sha256: 'bb' }];
    expect(toolchainId([a, b])).toBe(toolchainId([b, a]));
    expect(toolchainId([a])).not.toBe(toolchainId([b]));
    expect(toolchainId([a, b])).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe('toolchainIdOf', () => {
  test('of the programs that toolchainOf names; of no other', () => {
    const compiler = 'gcc-10 (Debian 10.2.1-6) 10.2.1 20210110';
    const { cc, ld, prefix } = toolchainOf({ compiler, toolchain: '0123abcd' });
    expect([cc, ld, prefix]).toEqual(['gcc-10', 'ld', ''].map((name) => `${toolchainsDir()}/0123abcd/bin/${name}`));
    expect([cc, ld].map(toolchainIdOf)).toEqual(['0123abcd', '0123abcd']);
    expect(
      ['gcc-10', '/usr/bin/gcc-10', './tools/objtool/objtool', `${toolchainsDir()}/x/y`].map(toolchainIdOf),
    ).toEqual(Array.from({ length: 4 }, () => undefined));
  });
});
