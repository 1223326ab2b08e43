import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CpioEntry, readCpio } from '@livegraft/binfmt/cpio';
import { afterAll, describe, expect, test } from 'vitest';
import { dependencyLines, moduleFiles } from './guest-modules.ts';
import { makeInitramfs } from './initramfs.ts';
import { quote } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'livegraft-initramfs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A static program as small as they come: an ELF header without sections. */
function staticProgram(): string {
  const bytes = new Uint8Array(64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.set([2, 0, 62, 0, 1], 16);
  bytes.set([64, 0], 52);
  bytes.set([64, 0], 58);
  const path = join(folder, 'static');
  writeFileSync(path, bytes);
  return path;
}

describe('makeInitramfs', () => {
  test('every folder comes before what it holds, once, and files keep their executable bit', async () => {
    const tool = join(folder, 'tool');
    writeFileSync(tool, 'x', { mode: 0o755 });
    const archive = await makeInitramfs({
      release: '1.2.3',
      main: 'trial',
      busybox: staticProgram(),
      files: { '/opt/deep/tool': tool, '/opt/data': new Uint8Array([1]) },
      modules: [{ name: 'a', file: new Uint8Array([2]) }],
    });
    const entries = readCpio(archive);
    const seen = new Set<string>(['']);
    for (const { path } of entries) {
      expect(seen, path).toContain(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
      expect(seen, path).not.toContain(path);
      seen.add(path);
    }
    const member = (path: string) => entries.find((entry: CpioEntry) => entry.path === path);
    expect(member('opt/deep/tool')).toMatchObject({ kind: 'file', permissions: 0o755 });
    expect(member('opt/data')).toMatchObject({ permissions: 0o644, data: new Uint8Array([1]) });
    expect(member('init')).toMatchObject({ permissions: 0o755 });
    expect(member('lib/modules/1.2.3/a.ko')).toBeDefined();
  });

  test('a busybox that needs libraries is refused, and one that is missing', async () => {
    const options = { release: 'r', main: 'trial' as const };
    await expect(makeInitramfs({ ...options, busybox: '/bin/ls' })).rejects.toMatchObject({
      code: 'vm-busybox-missing',
    });
    await expect(makeInitramfs({ ...options, busybox: join(folder, 'none') })).rejects.toMatchObject({
      code: 'vm-busybox-missing',
    });
  });

  test('a file that cannot be read is named', async () => {
    const missing = join(folder, 'missing');
    const made = makeInitramfs({ release: 'r', main: 'trial', busybox: staticProgram(), files: { '/x': missing } });
    await expect(made).rejects.toMatchObject({ code: 'vm-file-unreadable', message: expect.stringContaining(missing) });
  });
});

describe('moduleFiles', () => {
  test.each(['xz', 'gzip', 'cat'])('unpacks what %s packed', async (program) => {
    const plain = Buffer.from('\x7fELF module');
    const packed = execFileSync(program, program === 'cat' ? [] : ['-c'], { input: plain });
    const [file] = await moduleFiles('r', [{ name: 'm', file: packed }]);
    expect(Buffer.from(file!.data)).toEqual(plain);
  });

  test('a damaged .xz is an error that names the module', async () => {
    const packed = execFileSync('xz', ['-c'], { input: 'module' }).subarray(0, 40);
    await expect(moduleFiles('r', [{ name: 'broken', file: packed }])).rejects.toMatchObject({
      code: 'vm-file-unreadable',
      message: expect.stringContaining('broken'),
    });
  });
});

describe('modules that are built in', () => {
  test('have no file, and modprobe finds them in modules.builtin', async () => {
    const files = await moduleFiles('r', [{ name: 'virtio_pci' }, { name: 'ext4', file: Buffer.from('ELF') }]);
    const text = (name: string) =>
      Buffer.from(files.find(({ path }) => path === `lib/modules/r/${name}`)!.data).toString();
    expect(files.map(({ path }) => path)).not.toContain('lib/modules/r/virtio_pci.ko');
    expect(text('modules.builtin')).toBe('kernel/virtio_pci.ko\n');
    expect(text('modules.dep')).toBe('ext4.ko:\n');
  });
});

describe('dependencyLines', () => {
  test('names everything needed, the first to load last, as depmod does', () => {
    const none = new Uint8Array(0);
    const lines = dependencyLines([
      { name: 'crc16', file: none, depends: [] },
      { name: 'jbd2', file: none, depends: [] },
      { name: 'mbcache', file: none, depends: ['crc16'] },
      { name: 'ext4', file: none, depends: ['jbd2', 'mbcache'] },
      { name: 'rest', file: none },
    ]);
    expect(lines).toEqual([
      'crc16.ko:',
      'jbd2.ko:',
      'mbcache.ko: crc16.ko',
      'ext4.ko: mbcache.ko jbd2.ko crc16.ko',
      'rest.ko: ext4.ko mbcache.ko jbd2.ko crc16.ko',
    ]);
  });
});

describe('quote', () => {
  test.each(['plain', '', "it's 'two'", '$(x) `y` "z"', 'a\nb', '*', '-n'])('%j is one word to sh', (word) => {
    expect(execFileSync('sh', ['-c', `printf %s ${quote(word)}`], { encoding: 'utf8' })).toBe(word);
  });
});

describe('the guest scripts', () => {
  test.each(['init', 'trial', 'command'])('%s.sh is sound to the shell', (name) => {
    execFileSync('sh', ['-n', new URL(`../../guest/${name}.sh`, import.meta.url).pathname]);
  });
});
