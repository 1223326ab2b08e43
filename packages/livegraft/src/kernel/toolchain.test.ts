import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkToolchain, toolchainOf } from './toolchain.ts';

const COMPILER = 'gcc-77 (Debian 77.1-2) 77.1.0';
const LINKER = 'GNU ld (GNU Binutils for Debian) 7.7';

let folder: string;
let path: string | undefined;

async function program(name: string, firstLine: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\necho '${firstLine}'\necho 'Copyright'\n`);
  await chmod(join(folder, name), 0o755);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livegraft-toolchain-'));
  path = process.env['PATH'];
  process.env['PATH'] = `${folder}:${path}`;
  await program('gcc-77', COMPILER);
  await program('gcc-78', 'gcc-78 (Debian 78.1-2) 78.1.0');
  await program('ld', LINKER);
});
afterAll(async () => {
  process.env['PATH'] = path;
  await rm(folder, { recursive: true, force: true });
});

describe('checkToolchain', () => {
  test('the very programs of the banner', async () => {
    expect(await checkToolchain({ compiler: COMPILER, linker: LINKER })).toEqual({
      cc: 'gcc-77',
      ld: 'ld',
      prefix: '',
    });
  });

  test('missing or different: exit 5, with the line that installs the right one', async () => {
    await expect(checkToolchain({ compiler: 'gcc-79 (Debian 79) 79', linker: LINKER })).rejects.toMatchObject({
      code: 'compiler-missing',
      exit: 5,
      diagnostics: [{ hint: 'apt-get install gcc-79' }],
    });
    await expect(checkToolchain({ compiler: 'gcc-78 (Debian 78.1-1) 78.1.0', linker: LINKER })).rejects.toMatchObject({
      code: 'compiler-differs',
      exit: 5,
      diagnostics: [{ hint: 'apt-get install gcc-78=78.1-1' }],
    });
    await expect(checkToolchain({ compiler: COMPILER, linker: `${LINKER}.1` })).rejects.toMatchObject({
      code: 'linker-differs',
      exit: 5,
    });
  });
});

describe('toolchainOf', () => {
  test('a compiler with a target in its name brings its linker', () => {
    expect(toolchainOf({ compiler: 'x86_64-linux-gnu-gcc-16 (Debian 16.2.0-4) 16.2.0' })).toEqual({
      cc: 'x86_64-linux-gnu-gcc-16',
      ld: 'x86_64-linux-gnu-ld',
      prefix: 'x86_64-linux-gnu-',
    });
  });
});
