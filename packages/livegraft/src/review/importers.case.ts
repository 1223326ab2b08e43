import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readModuleIndex, writeModuleIndex } from '../kernel/modules.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { importersOf } from './importers.ts';

const kernel = await testKernel();

test('modules that import a function, as nm says; one that nobody imports', async () => {
  const found = await importersOf(
    kernel,
    new Map([
      ['jbd2_journal_start', 'jbd2'],
      ['jbd2_nothing', 'jbd2'],
    ]),
  );
  const modules = (await readModuleIndex(kernel)).filter(({ depends }) => depends.includes('jbd2'));
  const importing = modules.filter(({ path }) =>
    / U jbd2_journal_start$/m.test(
      execFileSync('nm', ['-u', join(kernel.paths.modules!, path)], { encoding: 'latin1' }),
    ),
  );
  expect(importing.length).toBeGreaterThan(0);
  expect(found?.get('jbd2_journal_start')).toEqual(importing.map(({ name }) => name).sort());
  expect(found?.get('jbd2_nothing')).toEqual([]);
});

test('a function of vmlinux, which many modules import', async () => {
  const users = (await importersOf(kernel, new Map([['eventfd_signal', 'vmlinux']])))?.get('eventfd_signal');
  expect(users).toEqual(expect.arrayContaining(['kvm', 'vhost']));
  expect(users).not.toContain('ext4');
});

test('near miss: compressed modules are not read, and nothing is claimed of them', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'livegraft-importers-'));
  try {
    const [one] = await readModuleIndex(kernel);
    await writeModuleIndex(dir, [{ ...one!, path: 'kernel/a.ko.xz' }]);
    writeFileSync(join(dir, 'a.ko.xz'), '');
    const packed = { ...kernel, dir, paths: { ...kernel.paths, modules: dir } };
    expect(await importersOf(packed, new Map([['eventfd_signal', 'vmlinux']]))).toBeUndefined();
  } finally {
    rmSync(dir, { recursive: true });
  }
});
