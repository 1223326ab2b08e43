/** Bundles that are damaged, changed, or for another kernel: one clear message, the right exit code, nothing left behind. */
import { randomBytes } from 'node:crypto';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { livegraft, type Ran } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { good, workplace } from '../testing/workplace.ts';

const kernel = await testKernel();
const { dir, expectRefused } = workplace(kernel);

describe('a bundle', () => {
  let bundle = '';
  beforeAll(async () => {
    await writeFile(join(dir, 'good.patch'), sourcePatch(kernel, good));
    const made = await livegraft([
      'build',
      join(dir, 'good.patch'),
      '--kernel',
      kernel.name,
      '-o',
      join(dir, 'bundles'),
      '--quiet',
    ]);
    expect(made).toMatchObject({ exit: 0, stderr: '' });
    bundle = join(dir, 'bundles/livegraft_good');
  });

  async function tampered(name: string, file: string, change: (bytes: Buffer) => Uint8Array | string): Promise<Ran> {
    const copy = join(dir, 'tampered', name);
    await cp(bundle, copy, { recursive: true });
    await writeFile(join(copy, file), change(await readFile(join(copy, file))));
    return livegraft(['try', copy, '--quiet']);
  }

  test('with a module changed by one byte is 4', async () => {
    const ran = await tampered('module', 'livegraft_good.ko', (bytes) => {
      bytes[bytes.length >> 1]! ^= 1;
      return bytes;
    });
    await expectRefused(ran, 4, /bundle-tampered/, /sha256 [0-9a-f]{64}/);
  });

  test('with a broken manifest is 4: what is wrong with it', async () => {
    await expectRefused(
      await tampered('cut', 'manifest.json', (bytes) => bytes.subarray(0, 100)),
      4,
      /manifest\.json is no JSON/,
    );
    await expectRefused(
      await tampered('noise', 'manifest.json', () => randomBytes(500)),
      4,
      /manifest\.json is no JSON/,
    );
    const field = await tampered('field', 'manifest.json', (bytes) =>
      bytes.toString().replace(/"sympos": \d+/, '"sympos": "first"'),
    );
    await expectRefused(field, 4, /bundle-unreadable/, /functions\.0\.sympos/);
    const name = await tampered('name', 'manifest.json', (bytes) =>
      bytes.toString().replace('livegraft_good.ko', '../../x.ko'),
    );
    await expectRefused(name, 4, /names the module/);
    const newer = await tampered('newer', 'manifest.json', (bytes) =>
      bytes.toString().replace('"schema": 1', '"schema": 2'),
    );
    await expectRefused(newer, 4, /schema/);
  });

  test('for another kernel is 5, before any guest starts', async () => {
    const ran = await tampered('foreign', 'manifest.json', (bytes) =>
      bytes.toString().replace(kernel.facts.buildId, '0'.repeat(40)),
    );
    await expectRefused(ran, 5, /bundle-for-other-kernel/, /livegraft build|build the patch again/);
  });

  test('that is none is 4', async () => {
    await expectRefused(await livegraft(['try', dir]), 4, /it has no manifest\.json/);
    await expectRefused(await livegraft(['try', join(dir, 'nothing')]), 4, /there is no such folder/);
    await expectRefused(await livegraft(['try', join(dir, 'good.patch')]), 4, /it is a file/);
  });
});
