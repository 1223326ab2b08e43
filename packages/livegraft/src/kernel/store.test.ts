import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silent } from '../support/progress.ts';
import { kernelDir } from './places.ts';
import { listKernels, openKernel, removeKernel, requireSource, withKernelLock, writeKernel } from './store.ts';
import type { KernelFacts } from './types.ts';

const facts: KernelFacts = {
  schema: 1,
  name: 'mine',
  release: '6.1.0-55-amd64',
  origin: { kind: 'files' },
  banner: '',
  buildId: 'ab',
  configHash: '',
  compiler: '',
  linker: '',
  vermagic: '',
  added: '2026-01-01T00:00:00Z',
};
const options = { progress: silent };

let cache: string;
let before: string | undefined;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'livegraft-store-'));
  before = process.env['XDG_CACHE_HOME'];
  process.env['XDG_CACHE_HOME'] = cache;
});
afterEach(async () => {
  if (before === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = before;
  await rm(cache, { recursive: true, force: true });
});

describe('the kernel store', () => {
  test.each(['', '{"schema": 1', '7', 'null'])(
    'a damaged kernel.json (%j) is no kernel, and hides no other',
    async (text) => {
      for (const name of ['mine', 'broken']) {
        await mkdir(kernelDir(name), { recursive: true });
        await writeKernel({ ...facts, name }, false);
      }
      await writeFile(join(kernelDir('broken'), 'kernel.json'), text);
      expect((await listKernels()).map(({ name }) => name)).toEqual(['mine']);
      await expect(openKernel('broken')).rejects.toMatchObject({ code: 'kernel-not-here' });
    },
  );

  test('a kernel is there once its kernel.json is; without modules it has no path to them', async () => {
    await mkdir(kernelDir('mine'), { recursive: true });
    expect(await listKernels()).toEqual([]);
    await expect(openKernel('mine')).rejects.toMatchObject({
      code: 'kernel-not-here',
      exit: 4,
      diagnostics: [{ hint: 'livegraft kernel fetch mine' }],
    });
    await writeKernel(facts, false);
    const kernel = await openKernel('mine');
    expect(kernel).toMatchObject({ name: 'mine', release: '6.1.0-55-amd64', facts });
    expect(kernel.paths.modules).toBeUndefined();
    expect(kernel.facts).not.toHaveProperty('hasModules');
    expect((await listKernels()).map(({ name }) => name)).toEqual(['mine']);
  });

  test('a source that was moved away is named', async () => {
    await writeKernel(facts, false);
    const gone = join(cache, 'gone');
    await symlink(gone, join(kernelDir('mine'), 'source'));
    await expect(requireSource(await openKernel('mine'))).rejects.toMatchObject({
      code: 'kernel-file-unreadable',
      diagnostics: [{ place: gone }],
    });
  });

  test('paths are without symbolic links, as make names them', async () => {
    const real = join(cache, 'tree');
    await mkdir(real);
    await writeKernel(facts, false);
    await symlink(real, join(kernelDir('mine'), 'source'));
    await rename(join(cache, 'livegraft'), join(cache, 'elsewhere'));
    await symlink(join(cache, 'elsewhere'), join(cache, 'livegraft'));
    const { dir, paths } = await openKernel('mine');
    expect(dir).toBe(join(cache, 'elsewhere/kernels/mine'));
    expect(paths.build).toBe(join(cache, 'elsewhere/kernels/mine/build'));
    expect(paths.source).toBe(real);
  });

  test('a name that leads elsewhere is refused', async () => {
    for (const name of ['', '..', '.x', 'a/b', '../../etc', 'a\nb']) {
      await expect(openKernel(name)).rejects.toMatchObject({ code: 'kernel-name-invalid', exit: 2 });
    }
  });

  test('removing takes all of it; what is not there is named', async () => {
    await writeKernel(facts, true);
    await removeKernel('mine', options);
    expect(await readdir(join(cache, 'livegraft/kernels'))).toEqual([]);
    await expect(removeKernel('mine', options)).rejects.toMatchObject({ code: 'kernel-not-here' });
  });

  test('the lock sweeps what a killed process left', async () => {
    const left = join(kernelDir('mine'), '.tmp-999999999-1-00000000');
    await mkdir(left, { recursive: true });
    await writeFile(join(left, 'half'), '');
    await withKernelLock('mine', options, async () => expect(await readdir(kernelDir('mine'))).toEqual([]));
  });
});
