import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withLock } from './lock.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livegraft-lock-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('withLock lets many workers in one after the other', async () => {
  const path = join(folder, 'many');
  let inside = 0;
  let most = 0;
  const worker = () =>
    withLock(path, { what: 'the test', wait: 30_000 }, async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    });
  await Promise.all([worker(), worker(), worker(), worker()]);
  expect(most).toBe(1);
});

test('withLock refuses at once when asked not to wait, and names the owner', async () => {
  const path = join(folder, 'busy');
  await withLock(path, { what: 'the test', wait: 0 }, async () => {
    const second = withLock(path, { what: 'the test', wait: 0 }, () => Promise.resolve());
    await expect(second).rejects.toMatchObject({
      code: 'busy',
      exit: 75,
      message: expect.stringContaining(String(process.pid)),
    });
  });
});

test('withLock is free again when its owner was killed', async () => {
  const path = join(folder, 'killed');
  const owner = spawn('flock', ['-x', path, 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  await once(owner.stdout, 'data');
  let waited = false;
  const second = withLock(path, { what: 'the test', wait: 30_000, onWait: () => (waited = true) }, () =>
    Promise.resolve('in'),
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  owner.stdin.end();
  expect(await second).toBe('in');
  expect(waited).toBe(true);
});

test('withLock passes on what its work throws, and frees the lock', async () => {
  const path = join(folder, 'throws');
  await expect(withLock(path, { what: 'x', wait: 0 }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await withLock(path, { what: 'x', wait: 0 }, () => Promise.resolve(1))).toBe(1);
});
