import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { readBundle } from '../bundle/bundle.ts';
import type { Manifest } from '../bundle/manifest.ts';
import { Journal } from '../host/journal/journal.ts';
import { bootId, type FakeHost, fakeHost, kernelId, livepatchFiles, moduleLine } from '../host/testing/fake-host.ts';
import { settle } from './boot.ts';
import { lift, suspects, suspicion } from './quarantine.ts';
import { recover } from './recover.ts';
import { checkStanding, readStanding, switchedOff } from './standing.ts';
import { disableBundle, enableBundle, enabledFolder, readEnabled, supersededBy } from './store.ts';
import { bundleId, testBundle } from './testing/bundle.ts';

let host: FakeHost;
beforeEach(() => {
  host = fakeHost();
});

const kernel = { release: '6.1.0-55-amd64', buildId: kernelId };
const writer = { pid: 2 ** 30, uid: 0 };

/** A bundle on disk, with a module of some bytes. */
async function bundle(name: string, changes: Partial<Manifest> = {}, module = 'elf') {
  const path = join(host.roots.run, name);
  mkdirSync(path, { recursive: true });
  const sha256 = createHash('sha256').update(module).digest('hex');
  const buildId = sha256.slice(0, 40);
  const fn = testBundle().manifest.functions[0]!;
  const { manifest } = testBundle({
    name,
    module: { file: `${name}.ko`, size: module.length, sha256, buildId },
    functions: [{ ...fn, name: `${name}_fn` }],
    ...changes,
  });
  writeFileSync(join(path, 'manifest.json'), JSON.stringify({ ...manifest, later: 'kept' }));
  writeFileSync(join(path, `${name}.ko`), module);
  return readBundle(path);
}

async function names(): Promise<string[]> {
  return (await readEnabled(host.roots, kernel)).enabled.map((each) => each.bundle.manifest.name);
}

test('enableBundle keeps a whole copy, for the kernel it is for; the last enabled is the last loaded', async () => {
  const one = await bundle('one');
  expect(await enableBundle(host.roots, one, writer)).toMatchObject({ replaced: false });
  await enableBundle(host.roots, await bundle('two'), writer);
  const foreign = { ...one.manifest.kernel, release: '6.12.1+deb13-amd64', buildId: 'ab'.repeat(20) };
  await enableBundle(host.roots, await bundle('one', { kernel: foreign }), writer);
  expect(await names()).toEqual(['one', 'two']);
  const stored = join(enabledFolder(host.roots, kernel), 'one');
  expect(JSON.parse(readFileSync(join(stored, 'manifest.json'), 'utf8'))).toMatchObject({ later: 'kept' });
  expect(JSON.parse(readFileSync(join(stored, 'enabled.json'), 'utf8'))).toMatchObject({ sequence: 1, uid: 0 });
  expect(await enableBundle(host.roots, await bundle('one', {}, 'newer'), writer)).toMatchObject({ replaced: true });
  expect(await names()).toEqual(['two', 'one']);
  expect(readFileSync(join(stored, 'one.ko'), 'utf8')).toBe('newer');
  // nothing of the old one stays
  expect(readdirSync(enabledFolder(host.roots, kernel)).sort()).toEqual(['.one.3', '.two.2', 'one', 'two']);
  expect(await disableBundle(host.roots, 'one', '6.1.0-55-amd64')).toHaveLength(1);
  expect(await names()).toEqual(['two']);
  await expect(disableBundle(host.roots, 'one', '6.1.0-55-amd64')).rejects.toMatchObject({
    code: 'not-enabled',
    diagnostics: [{ hint: 'livegraft disable one --kernel 6.12.1+deb13-amd64' }],
  });
  await disableBundle(host.roots, 'one', '6.12.1+deb13-amd64');
  await expect(disableBundle(host.roots, '../two', '6.1.0-55-amd64')).rejects.toMatchObject({ code: 'not-enabled' });
});

test('enableBundle refuses functions in common by name, but for one that replaces all', async () => {
  const one = await bundle('one');
  await enableBundle(host.roots, one, writer);
  const { functions } = one.manifest;
  await expect(enableBundle(host.roots, await bundle('two', { functions }), writer)).rejects.toMatchObject({
    code: 'enable-conflict',
    exit: 4,
    message: expect.stringContaining('one_fn'),
  });
  await enableBundle(host.roots, await bundle('two', { functions, replace: true }), writer);
  await enableBundle(host.roots, await bundle('three'), writer);
  const { enabled } = await readEnabled(host.roots, kernel);
  expect(enabled.map((each) => supersededBy(enabled, each)?.bundle.manifest.name)).toEqual([
    'two',
    undefined,
    undefined,
  ]);
});

test('enableBundle takes no kernel name that is a path', async () => {
  const { kernel: named } = testBundle().manifest;
  for (const odd of [{ release: '../../etc' }, { release: '' }, { release: '6.1/..' }, { buildId: 'ab' }])
    await expect(
      enableBundle(host.roots, await bundle('one', { kernel: { ...named, ...odd } }), writer),
    ).rejects.toMatchObject({ code: 'kernel-name-odd' });
  expect(existsSync(host.roots.state)).toBe(false);
});

test('readEnabled names what was damaged since, and uses the rest', async () => {
  await enableBundle(host.roots, await bundle('one'), writer);
  await enableBundle(host.roots, await bundle('two'), writer);
  writeFileSync(join(enabledFolder(host.roots, kernel), 'one/one.ko'), 'other');
  const { enabled, broken } = await readEnabled(host.roots, kernel);
  expect(enabled.map((each) => each.bundle.manifest.name)).toEqual(['two']);
  expect(broken).toMatchObject([{ code: 'enabled-broken', message: expect.stringContaining('sha256') }]);
});

test('readStanding says what is enabled and not loaded, and why', async () => {
  const { roots } = host;
  const one = await bundle('one');
  await enableBundle(roots, one, writer);
  const why = async () => (await readStanding(roots)).enabled.map((each) => each.why);
  expect(await why()).toEqual(['nobody has loaded it since the machine was booted']);
  expect(checkStanding(await readStanding(roots))).toMatchObject([{ code: 'check-failed', place: 'one' }]);
  const journal = new Journal({ roots, writer });
  const about = { attempt: 'a', action: 'load', name: 'one', moduleId: one.manifest.module.buildId } as const;
  await journal.append({ ...about, step: 'begin' });
  await journal.append({ ...about, step: 'end', outcome: 'reverted', exit: 6, codes: ['transition-stalled'] });
  expect(await why()).toEqual(['the last load ended with “reverted” (exit code 6, transition-stalled)']);
  host.write({ 'etc/off': '' });
  expect(switchedOff(roots)).toBe(`${roots.etc}/off is there`);
  rmSync(join(roots.etc, 'off'));
  host.write({ 'proc/cmdline': 'ro livegraft=offline\n' });
  expect(switchedOff(roots)).toBeUndefined();
  host.write({ 'proc/cmdline': 'ro livegraft=off quiet\n' });
  expect(switchedOff(roots)).toBe('livegraft=off is on the kernel’s command line');
  host.write({
    ...livepatchFiles('one', ['vmlinux/f,1'], { id: one.manifest.module.buildId }),
    'proc/modules': moduleLine('one'),
  });
  expect(await why()).toEqual([undefined]);
});

test('recover asks the kernel, closes each attempt once, and counts boots that ended early', async () => {
  const { roots } = host;
  const journal = new Journal({ roots, writer });
  const about = { action: 'load', name: 'livegraft_fix', moduleId: bundleId } as const;
  host.write({ ...livepatchFiles('livegraft_fix', ['vmlinux/f,1']), 'proc/modules': moduleLine('livegraft_fix') });
  await journal.append({ ...about, attempt: 'a', step: 'begin' });
  expect((await recover(journal)).map(({ code, message }) => [code, message.split('says: ')[1]])).toEqual([
    ['attempt-killed', 'it is active'],
  ]);
  expect(await recover(journal)).toEqual([]);

  await journal.append({ ...about, attempt: 'b', step: 'begin' });
  host.write({ 'proc/sys/kernel/random/boot_id': 'second\n' });
  const second = new Journal({ roots, writer });
  const refusals = () => suspicion(second.read().entries, second.bootId, bundleId).map(({ code }) => code);
  expect(refusals()).toEqual(['machine-went-down']);
  expect((await recover(second)).map(({ code }) => code)).toEqual(['machine-went-down']);
  expect(await recover(second)).toEqual([]);
  expect(refusals()).toEqual(['machine-went-down']);

  await second.append({ ...about, attempt: 'c', step: 'begin' });
  await second.append({ ...about, attempt: 'c', step: 'end', outcome: 'active', pending: true });
  host.write({ 'proc/sys/kernel/random/boot_id': `${bootId}\n` });
  expect((await recover(journal)).map(({ hint }) => hint)).toEqual(['that was the second time: it is quarantined']);
  expect(suspects(journal.read().entries, bootId)).toMatchObject([{ quarantined: true, actions: ['load', 'load'] }]);
  expect(suspicion(journal.read().entries, bootId, bundleId)).toMatchObject([{ code: 'quarantined', exit: 4 }]);
  await expect(lift(journal, 'other')).rejects.toMatchObject({ code: 'not-quarantined' });
  await lift(journal, 'livegraft_fix');
  expect(suspicion(journal.read().entries, bootId, bundleId)).toEqual([]);
});

test('settle ends what was loaded at this boot', async () => {
  const { roots } = host;
  const journal = new Journal({ roots, writer });
  const about = { attempt: 'a', action: 'load', name: 'livegraft_fix', moduleId: bundleId } as const;
  await journal.append({ ...about, step: 'begin' });
  await journal.append({ ...about, step: 'end', outcome: 'active', pending: true });
  expect(await settle(journal)).toEqual(['livegraft_fix']);
  expect(await settle(journal)).toEqual([]);
  expect(suspects(journal.read().entries, 'the next')).toEqual([]);
});
