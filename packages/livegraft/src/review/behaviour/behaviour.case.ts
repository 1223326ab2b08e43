/** What a build says of behaviour that mixes badly: each kind in a real patch of the kernel, and near misses in the same files. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from '../../build/build.ts';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import { silent } from '../../support/progress.ts';
import { type Edits, sourcePatch } from '../../testing/source-patch.ts';
import { testKernel } from '../../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-behaviour-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const own =
  /^(lock-(side-moved|order-changed)|reference-side-moved|return-changed|flag-bit-new|exported-changed|stored-callback)$/;

async function found(name: string, edits: Edits) {
  const patches = [{ name: 'x.patch', bytes: Buffer.from(sourcePatch(kernel, edits), 'latin1') }];
  const { manifest } = await build({ patches, kernel, out: dir, name, replace: false, progress: silent });
  return manifest.findings.filter(({ code }) => own.test(code));
}

const signal = '__u64 eventfd_signal(struct eventfd_ctx *ctx, __u64 n)\n{\n';
const unlink =
  'int simple_unlink(struct inode *dir, struct dentry *dentry)\n{\n\tstruct inode *inode = d_inode(dentry);\n';
const cancel = '\tspin_lock(&ctx->cancel_lock);\n\tif ((ctx->clockid';
const work = 'INIT_WORK(&req->work, aio_poll_complete_work);';

test('a flag, an exported function, a value to callers that stay, two locks, a work item', async () => {
  const findings = await found('livegraft_mixes', {
    'fs/eventfd.c': [signal, `#define EFD_SEEN (1 << 9)\n${signal}\tctx->flags |= EFD_SEEN;\n`],
    'fs/libfs.c': [unlink, `${unlink}\n\tif (!inode->i_nlink)\n\t\treturn -ENOENT;\n`],
    'fs/timerfd.c': [cancel, `\tspin_lock(&cancel_lock);\n${cancel}`],
    'fs/aio.c': [work, 'INIT_WORK(&req->work, aio_poll_put_work);'],
  });
  const of = (code: string) => findings.filter((each) => each.code === code);
  expect(of('flag-bit-new')).toMatchObject([
    { place: 'fs/eventfd.c', functions: ['eventfd_signal'], message: expect.stringContaining('EFD_SEEN is new') },
  ]);
  expect(of('return-changed')).toMatchObject([
    { place: 'fs/libfs.c', functions: ['simple_unlink', 'simple_rmdir', 'simple_rename'] },
  ]);
  expect(of('return-changed')[0]?.message).toMatch(/-ENOENT.*simple_rmdir\(\) ignores it/);
  expect(of('lock-order-changed')).toMatchObject([
    {
      place: 'fs/timerfd.c',
      functions: ['timerfd_setup_cancel', 'do_timerfd_settime'],
      message: expect.stringContaining('&ctx->cancel_lock is taken while &cancel_lock is held'),
    },
  ]);
  expect(of('stored-callback')).toMatchObject([
    {
      place: 'fs/aio.c',
      message: expect.stringContaining('aio_poll_put_work() where it got aio_poll_complete_work()'),
    },
  ]);
  const exported = of('exported-changed').find(({ place }) => place === 'fs/eventfd.c: eventfd_signal');
  expect(exported?.message).toMatch(/exported by vmlinux \(EXPORT_SYMBOL_GPL\): \d+ modules/);
  for (const { file, line } of findings.flatMap((each) => spotsOf(each, 'original')))
    expect(sourceLine(file, line)).toMatch(/spin_lock|INIT_WORK/);
});

test('near misses: a limit, a code more, a lock around one that it was around, what is called and not who stores it', async () => {
  const poll = '\tpoll_wait(file, &ctx->wqh, wait);\n';
  const remove = 'static void __timerfd_remove_cancel(struct timerfd_ctx *ctx)\n{\n';
  const fsync = 'static void aio_fsync_work(struct work_struct *work)\n{\n';
  const findings = await found('livegraft_near', {
    'fs/eventfd.c': [poll, `${poll}#define EFD_MANY (1 << 9)\n\tif (ctx->id > EFD_MANY)\n\t\tpr_info("many\\n");\n`],
    'fs/timerfd.c': [
      remove,
      `${remove}\tif (!ctx->might_cancel)\n\t\tpr_debug("none\\n");\n\tctx->settime_flags &= ~TFD_TIMER_CANCEL_ON_SET;\n`,
    ],
    'fs/aio.c': [fsync, `${fsync}\tpr_info("fsync\\n");\n`],
  });
  expect(findings).toEqual([]);
});

function spotsOf({ spots = [] }: Pick<Diagnostic, 'spots'>, side: 'original' | 'patched') {
  return spots.filter((spot) => spot.side === side);
}

function sourceLine(file: string, line: number): string | undefined {
  return readFileSync(join(kernel.paths.source, file), 'latin1').split('\n')[line - 1];
}
