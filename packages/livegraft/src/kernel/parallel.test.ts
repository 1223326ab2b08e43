import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { silent } from '../support/progress.ts';
import { inParallel } from './parallel.ts';

describe('inParallel', () => {
  test('the first failure ends the other branches, which have ended when it is thrown', async () => {
    const ends: string[] = [];
    const work = inParallel({ progress: silent }, async ({ signal }, branch) => {
      const slow = branch(
        sleep(60_000, undefined, { signal: signal! }).catch((error: unknown) => {
          ends.push('slow');
          throw error;
        }),
      );
      const failing = branch(Promise.reject(new Error('first')));
      await Promise.all([slow, failing]);
    });
    await expect(work).rejects.toThrow('first');
    expect(ends).toEqual(['slow']);
  });

  test("the caller's abort reaches every branch", async () => {
    const outer = new AbortController();
    const work = inParallel({ progress: silent, signal: outer.signal }, ({ signal }, branch) =>
      branch(sleep(60_000, 'late', { signal: signal! })),
    );
    outer.abort();
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('results come through', async () => {
    expect(await inParallel({ progress: silent }, (_, branch) => branch(Promise.resolve(7)))).toBe(7);
  });
});
