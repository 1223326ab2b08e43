import { describe, expect, test } from 'vitest';
import { parsePackages } from './packages.ts';
import { closure, isPackaged } from './toolchain-packages.ts';

const stanza = (name: string, version: string, depends = '', preDepends = ''): string =>
  `Package: ${name}\nVersion: ${version}\n${depends === '' ? '' : `Depends: ${depends}\n`}${preDepends === '' ? '' : `Pre-Depends: ${preDepends}\n`}Filename: pool/${name}_${version}.deb\nSize: 1\nSHA256: ${'ab'.repeat(32)}\n`;

const archive = parsePackages(
  [
    stanza(
      'gcc-14',
      '14.2.0-19',
      'cpp-14 (= 14.2.0-19), libgcc-14-dev (= 14.2.0-19), libc6 (>= 2.38), as-old | as-new',
    ),
    stanza('cpp-14', '14.2.0-19', 'libc6 (>= 2.14), libisl23'),
    stanza('cpp-14', '14.2.0-20'),
    stanza('libgcc-14-dev', '14.2.0-19', 'libasan8 (>= 14.2.0-19)'),
    stanza('libc6', '2.36-9', 'libgone'),
    stanza('libc6', '2.41-12', '', 'libgcc-s1'),
    stanza('libc6', '2.41-9', 'libgone'),
    stanza('libgcc-s1', '14.2.0-19', 'libc6 (>= 2.35)'),
    stanza('libisl23', '0.27-1'),
    stanza('as-new', '2'),
    stanza('torn', '1', 'libisl23 (>= 1), libc6'),
  ].join('\n'),
);
const asked: string[][] = [];
const find = async (names: readonly string[]) => {
  asked.push([...names]);
  return archive.filter(({ name }) => names.includes(name));
};

describe('closure', () => {
  test('dependencies of dependencies, circles, alternatives; not what compiled programs would need', async () => {
    const root = archive.find(({ name }) => name === 'gcc-14')!;
    const found = await closure(root, find);
    expect(found.map(({ name, version }) => `${name} ${version}`).sort()).toEqual([
      'as-new 2',
      'cpp-14 14.2.0-19',
      'gcc-14 14.2.0-19',
      'libc6 2.41-12',
      'libgcc-14-dev 14.2.0-19',
      'libgcc-s1 14.2.0-19',
      'libisl23 0.27-1',
    ]);
    expect(asked.flat().length).toBe(new Set(asked.flat()).size);
  });

  test('what nothing meets is named', async () => {
    const root = archive.find(({ name }) => name === 'torn')!;
    await expect(closure(root, find)).rejects.toMatchObject({
      code: 'dependency-gone',
      exit: 5,
      message: expect.stringContaining('libisl23 (>= 1)') as string,
    });
  });
});

describe('isPackaged', () => {
  test("Debian's compilers and linkers only", () => {
    const linker = 'GNU ld (GNU Binutils for Debian) 2.47.50.20261021';
    expect(isPackaged({ compiler: 'x86_64-linux-gnu-gcc-16 (Debian 16.2.0-4) 16.2.0', linker })).toBe(true);
    expect(isPackaged({ compiler: 'gcc-10 (Debian 10.2.1-6) 10.2.1 20210110', linker })).toBe(true);
    expect(isPackaged({ compiler: 'gcc-14 (Debian 14.2.0-19) 14.2.0', linker: 'LLD 19.1' })).toBe(false);
    expect(isPackaged({ compiler: 'gcc (GCC) 14.2.0', linker })).toBe(false);
  });
});
