import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silent } from '../support/progress.ts';
import { readModuleInfo } from './module-file.ts';
import { indexModules, parseBuiltins, readModuleFile, resolveModules } from './modules.ts';
import { buildElf } from './testing.ts';
import type { ModuleInfo } from './types.ts';

const note = [...new Uint8Array(Uint32Array.of(4, 4, 3).buffer), ...Buffer.from('GNU\0'), 0xca, 0xfe, 0xba, 0xbe];

function ko(modinfo: string): Uint8Array {
  return buildElf([
    { name: '.modinfo', data: Buffer.from(modinfo.replaceAll('\n', '\0')) },
    { name: '.note.gnu.build-id', data: Uint8Array.from(note) },
    { name: '.text', data: new Uint8Array(64) },
  ]);
}

const EXT4 = `name=ext4
depends=jbd2,crc16
softdep=pre: crypto-crc32c other post: late
alias=fs-ext4
vermagic=6.1.0-55-amd64 SMP mod_unload${' '}
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livegraft-modules-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('readModuleInfo', () => {
  test('name, dependencies, soft ones that come before, aliases, vermagic, build-id', async () => {
    const file = join(folder, 'ext4.ko');
    await writeFile(file, ko(EXT4));
    expect(readModuleInfo(file, 'kernel/ext4.ko')).toEqual({
      name: 'ext4',
      path: 'kernel/ext4.ko',
      depends: ['jbd2', 'crc16'],
      softdepsPre: ['crypto-crc32c', 'other'],
      aliases: ['fs-ext4'],
      vermagic: '6.1.0-55-amd64 SMP mod_unload',
      buildId: 'cafebabe',
    });
  });

  test('cut anywhere, or no module: module-corrupt', async () => {
    const bytes = ko(EXT4);
    const file = join(folder, 'x.ko');
    for (let length = 0; length < bytes.length; length += 7) {
      await writeFile(file, bytes.subarray(0, length));
      expect(() => readModuleInfo(file, 'x.ko')).toThrow(expect.objectContaining({ code: 'module-corrupt', exit: 4 }));
    }
    await writeFile(file, buildElf([{ name: '.text', data: new Uint8Array(4) }]));
    expect(() => readModuleInfo(file, 'x.ko')).toThrow(/no \.modinfo/);
  });

  test('a section with a name of a megabyte: module-corrupt, however many share it', async () => {
    const file = join(folder, 'x.ko');
    await writeFile(file, buildElf([{ name: 'x'.repeat(1 << 20), data: new Uint8Array(4) }]));
    expect(() => readModuleInfo(file, 'x.ko')).toThrow(/no end within 4096 bytes/);
  });
});

describe('indexModules', () => {
  test('plain and compressed ones, sorted by path; the scratch folder is empty afterwards', async () => {
    await mkdir(join(folder, 'modules/kernel/fs'), { recursive: true });
    for (const name of ['a', 'b', 'c', 'd'])
      await writeFile(join(folder, `modules/kernel/fs/${name}.ko`), ko(`name=${name}-mod\n`));
    for (const [program, name] of [
      ['xz', 'b'],
      ['gzip', 'c'],
    ] as const)
      execFileSync(program, [join(folder, `modules/kernel/fs/${name}.ko`)]);
    execFileSync('zstd', ['-q', '--rm', join(folder, 'modules/kernel/fs/d.ko')]);
    const index = await indexModules(join(folder, 'modules'), join(folder, 'scratch'), { progress: silent });
    expect(index.map(({ name, path }) => `${name} ${path}`)).toEqual([
      'a_mod kernel/fs/a.ko',
      'b_mod kernel/fs/b.ko.xz',
      'c_mod kernel/fs/c.ko.gz',
      'd_mod kernel/fs/d.ko.zst',
    ]);
    expect(await readdir(join(folder, 'scratch'))).toEqual([]);
    expect(await readModuleFile(join(folder, 'modules/kernel/fs/b.ko.xz'))).toEqual(ko('name=b-mod\n'));
  });

  test('a damaged compressed module is module-corrupt when read', async () => {
    const file = join(folder, 'x.ko.xz');
    await writeFile(file, execFileSync('xz', ['-c'], { input: ko(EXT4) }).subarray(0, 60));
    await expect(readModuleFile(file)).rejects.toMatchObject({ code: 'module-corrupt', exit: 4 });
  });
});

describe('resolveModules', () => {
  const module = (
    name: string,
    depends: string[] = [],
    softdepsPre: string[] = [],
    aliases: string[] = [],
  ): ModuleInfo => ({
    name,
    path: `kernel/${name}.ko`,
    depends,
    softdepsPre,
    aliases,
    vermagic: '',
    buildId: '',
  });
  const index = [
    module('ext4', ['jbd2', 'crc16', 'mbcache'], ['crypto-crc32c']),
    module('jbd2', ['crc16']),
    module('crc16'),
    module('mbcache'),
    module('crc32c_intel', [], [], ['crc32c', 'crypto-crc32c']),
    module('crc32c_generic', [], [], ['crc32c', 'crypto-crc32c']),
    module('a', ['b']),
    module('b', ['a']),
    module('broken', ['nowhere']),
    module('soft', [], ['nowhere']),
    module('virtio_pci', ['virtio-ring', 'crc32']),
    module('virtio_ring'),
  ];
  const builtins = parseBuiltins('kernel/lib/crc32.ko\n', 'crc32.license=GPL\0crc32.alias=crypto-crc32\0');
  const names = (...wanted: string[]): string[] => resolveModules('k', index, builtins, wanted).map(({ name }) => name);

  test('dependencies before what needs them, once each; an alias is met by the generic module', () => {
    const order = names('ext4');
    expect(order.toSorted()).toEqual(['crc16', 'crc32c_generic', 'ext4', 'jbd2', 'mbcache']);
    expect(order.indexOf('crc16')).toBeLessThan(order.indexOf('jbd2'));
    expect(order.at(-1)).toBe('ext4');
    expect(names('ext4', 'jbd2', 'crc16')).toEqual(order);
  });

  test('built-in names and aliases are there already; - and _ are the same', () => {
    expect(names('virtio-pci')).toEqual(['virtio_ring', 'virtio_pci']);
    expect(names('crc32', 'crypto-crc32')).toEqual([]);
  });

  test('a cycle ends; a missing soft dependency is left out; a missing hard one is named', () => {
    expect(names('a').toSorted()).toEqual(['a', 'b']);
    expect(names('soft')).toEqual(['soft']);
    expect(() => names('broken')).toThrow(/no module nowhere/);
    expect(() => names('nothing')).toThrow(expect.objectContaining({ code: 'module-unknown', exit: 4 }));
  });
});
