/** Constants of real files of the kernel: one that buffers are made by, and near misses. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from '../../build/build.ts';
import { silent } from '../../support/progress.ts';
import { type Edits, sourcePatch } from '../../testing/source-patch.ts';
import { testKernel } from '../../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-constants-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function found(name: string, edits: Edits) {
  const patches = [{ name: 'x.patch', bytes: Buffer.from(sourcePatch(kernel, edits), 'latin1') }];
  const { manifest } = await build({ patches, kernel, out: dir, name, replace: false, progress: silent });
  return manifest.findings.filter(({ code }) => code === 'constant-changed');
}

test('the size of buffers that wait in queues', async () => {
  const findings = await found('livegraft_buffers', {
    'kernel/audit.c': ['#define AUDIT_BUFSIZ 1024', '#define AUDIT_BUFSIZ 2048'],
  });
  expect(findings).toMatchObject([
    {
      place: 'kernel/audit.c',
      functions: ['audit_buffer_alloc'],
      message: expect.stringMatching(
        /^AUDIT_BUFSIZ goes from 1024 to 2048, .*audit_buffer_alloc\(\) makes objects by it: nlmsg_new\(\)$/,
      ),
    },
  ]);
});

test('near misses: a depth that is counted to, all of whose users are replaced; a number in other words', async () => {
  expect(
    await found('livegraft_depth', {
      'fs/eventpoll.c': ['#define EP_MAX_NESTS 4', '#define EP_MAX_NESTS 6'],
      'kernel/audit.c': ['#define AUDIT_BUFSIZ 1024', '#define AUDIT_BUFSIZ (1 << 10)'],
    }),
  ).toEqual([]);
});
