/** Loaded and reverted again and again while the machine is under load and a server is hammered: a short run of `npm run soak`. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testKernel } from '../testing/test-kernel.ts';

const kernel = await testKernel();
const soak = fileURLToPath(new URL('../../../../bench/host/soak.mjs', import.meta.url));
const cycles = 4;

interface Result {
  readonly cycles: number;
  readonly faults: readonly string[];
  readonly complaints: readonly unknown[];
  readonly requests: Readonly<Record<'asked' | 'answered', number>>;
  readonly says: Readonly<Record<string, number>>;
  readonly modules: readonly number[];
}

let dir = '';
let result: Result;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-soak-vm-'));
  const json = join(dir, 'soak.json');
  const words = ['--cycles', String(cycles), '--cli-every', String(cycles), '--kernel', kernel.name, '--json', json];
  const said = await new Promise<string>((resolve) => {
    execFile(process.execPath, [soak, ...words], (_error, stdout, stderr) => resolve(`${stdout}${stderr}`));
  });
  result = JSON.parse(await readFile(json, 'utf8').catch(() => Promise.reject(new Error(said))));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('every cycle ends as it should, and nothing stays behind', () => {
  expect(result.faults).toEqual([]);
  expect(result.cycles).toBe(cycles);
  expect(result.modules[1]).toBe(result.modules[0]);
});

test('no request of the hammered server is lost, and the new functions were at work', () => {
  expect(result.requests.asked).toBeGreaterThan(0);
  expect(result.requests.answered).toBe(result.requests.asked);
  for (const [name, times] of Object.entries(result.says)) expect(times, name).toBe(cycles);
});

test('the kernel has nothing to complain about', () => {
  expect(result.complaints).toEqual([]);
});
