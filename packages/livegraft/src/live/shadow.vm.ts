/** The shadow-variable example while users come and go: a short run of `npm run shadow`, and of such that leak on purpose. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testKernel } from '../testing/test-kernel.ts';

const kernel = await testKernel();
const program = fileURLToPath(new URL('../../../../bench/host/shadow.mjs', import.meta.url));

interface Result {
  readonly cycles: readonly { readonly fields: number; readonly replaced: number; readonly seen: number }[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly faults: readonly string[];
}

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-shadow-vm-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function cycles(words: readonly string[]): Promise<Result> {
  const json = join(dir, 'shadow.json');
  const said = await new Promise<string>((resolve) => {
    const all = [program, '--kernel', kernel.name, '--json', json, ...words];
    execFile(process.execPath, all, (_error, stdout, stderr) => resolve(`${stdout}${stderr}`));
  });
  return JSON.parse(await readFile(json, 'utf8').catch(() => Promise.reject(new Error(said)))) as Result;
}

test('nothing is left in the kernel after a revert, by its own table and its own account of the slab; nor after a successor', async () => {
  const { cycles: done, faults, before, after } = await cycles(['--cycles', '5']);
  expect(faults).toEqual([]);
  expect(after).toEqual([0, 0, before[2]]);
  expect(done.map(({ replaced }) => replaced)).toEqual([0, 0, 0, 0, 1]);
  for (const { fields, seen } of done) {
    expect(fields).toBeGreaterThan(0);
    expect(seen).toBeGreaterThan(0);
  }
});

test.each([
  [
    'end',
    [
      /^cycle 1: \d+ shadow variables left in the kernel$/,
      /^\d+ live objects of shadow variables at the end, 0 before$/,
    ],
  ],
  ['free', [/^cycle 1: \d+ fields of users that are gone$/]],
])('what is left behind on purpose is found: %s', async (leak, expected) => {
  const { faults } = await cycles(['--cycles', '1', '--leak', leak]);
  for (const fault of expected) expect(faults).toContainEqual(expect.stringMatching(fault));
});
