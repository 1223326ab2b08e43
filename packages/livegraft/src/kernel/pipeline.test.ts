import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pipeline } from './pipeline.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livegraft-pipeline-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('pipeline', () => {
  test('all of the data goes through', async () => {
    const out = join(folder, 'out');
    await pipeline([
      ['seq', '200000'],
      ['gzip', '-c'],
      ['gzip', '-dc'],
      ['tee', out],
    ]);
    expect((await readFile(out, 'utf8')).split('\n')).toHaveLength(200_001);
  });

  test('the program that failed is named, with its words; so is one that is missing', async () => {
    await expect(pipeline([['echo', 'x'], ['xz', '-dc'], ['cat']])).rejects.toThrow(
      /xz -dc ended with exit code 1:\n.*format not recognized/s,
    );
    await expect(pipeline([['seq', '1000000'], ['livegraft-no-such-program']])).rejects.toMatchObject({
      code: 'program-missing',
    });
    await expect(pipeline([['livegraft-no-such-program'], ['cat']])).rejects.toMatchObject({ code: 'program-missing' });
  });

  test('abort ends the programs and the helpers they forked', async () => {
    const controller = new AbortController();
    const pids = join(folder, 'pids');
    const helper = `sh -c 'echo $$ >> ${pids}; exec sleep 1000' & echo $$ >> ${pids}; exec yes`;
    const work = pipeline(
      [
        ['sh', '-c', helper],
        ['sleep', '1000'],
      ],
      controller.signal,
    );
    const started = async (): Promise<string[]> =>
      (await readFile(pids, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
    while ((await started()).length < 2) await sleep(20);
    controller.abort();
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
    for (const pid of await started()) {
      const state = async (): Promise<string> =>
        (await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone Z')).replace(/.*\) /, '');
      while (!/^Z|gone/.test(await state())) await sleep(20);
    }
  });
});
