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
  /^(lock-(side-moved|order-changed)|reference-side-moved|return-(changed|ignored)|flag-bit-new|exported-changed|stored-callback)$/;

async function found(name: string, edits: Edits) {
  const patches = [{ name: 'x.patch', bytes: Buffer.from(sourcePatch(kernel, edits), 'latin1') }];
  const { manifest } = await build({ patches, kernel, out: dir, name, replace: false, progress: silent });
  return manifest.findings.filter(({ code }) => own.test(code));
}

/** Several edits of one file. */
function edited(path: string, ...edits: readonly (readonly [before: string, after: string])[]): [string, string] {
  const text = readFileSync(join(kernel.paths.source, path), 'latin1');
  const changed = edits.reduce((all, [before, after]) => {
    if (!all.includes(before)) throw new Error(`${path} has no ${JSON.stringify(before)}`);
    return all.replace(before, () => after);
  }, text);
  return [text, changed];
}

const signal = '__u64 eventfd_signal(struct eventfd_ctx *ctx, __u64 n)\n{\n';
const unlink =
  'int simple_unlink(struct inode *dir, struct dentry *dentry)\n{\n\tstruct inode *inode = d_inode(dentry);\n';
const cancel = '\tspin_lock(&ctx->cancel_lock);\n\tif ((ctx->clockid';
const work = 'INIT_WORK(&req->work, aio_poll_complete_work);';

test('a flag, an exported function, a value to callers that stay, two locks, a work item', async () => {
  const findings = await found('livegraft_mixes', {
    'fs/eventfd.c': [signal, `#define EFD_SEEN (1 << 9)\n${signal}\tctx->flags |= EFD_SEEN;\n`],
    'fs/libfs.c': edited(
      'fs/libfs.c',
      [unlink, `${unlink}\n\tif (!inode->i_nlink)\n\t\treturn -ENOENT;\n`],
      ['\tif (fh_len < 2)\n\t\treturn NULL;\n', '\tif (fh_len < 2)\n\t\treturn ERR_PTR(-EINVAL);\n'],
    ),
    'fs/timerfd.c': [cancel, `\tspin_lock(&cancel_lock);\n${cancel}`],
    'fs/aio.c': [work, 'INIT_WORK(&req->work, aio_poll_put_work);'],
  });
  const of = (code: string) => findings.filter((each) => each.code === code);
  expect(of('flag-bit-new')).toMatchObject([
    { place: 'fs/eventfd.c', functions: ['eventfd_signal'], message: expect.stringContaining('EFD_SEEN is new') },
  ]);
  expect(of('return-ignored')).toMatchObject([
    {
      place: 'fs/libfs.c',
      functions: ['simple_unlink', 'simple_rmdir', 'simple_rename'],
      message: expect.stringMatching(/-ENOENT.*simple_rmdir\(\) ignores it/),
    },
  ]);
  expect(of('return-changed')).toMatchObject([
    {
      place: 'fs/libfs.c',
      functions: ['generic_fh_to_dentry'],
      message: expect.stringContaining('ERR_PTR(-EINVAL), which it did not before. It was NULL before'),
    },
  ]);
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
    expect(sourceLine(file, line)).toMatch(/spin_lock|INIT_WORK|return NULL/);
});

test('a lock that another call gives back from now on, a reference that the caller takes', async () => {
  const fdget = '\tctx = eventfd_ctx_fileget(f.file);\n';
  const findings = await found('livegraft_sides', {
    'fs/fsopen.c': edited(
      'fs/fsopen.c',
      ['len, &need_free);\n\tmutex_unlock(&fc->uapi_mutex);\n', 'len, &need_free);\n'],
      ['\t\tput_fs_context(fc);\n', '\t\tmutex_unlock(&fc->uapi_mutex);\n\t\tput_fs_context(fc);\n'],
    ),
    'fs/eventfd.c': edited(
      'fs/eventfd.c',
      ['\tkref_get(&ctx->kref);\n', ''],
      [fdget, `${fdget}\tif (!IS_ERR(ctx))\n\t\tkref_get(&ctx->kref);\n`],
    ),
  });
  const of = (code: string) => findings.filter((each) => each.code === code);
  expect(of('lock-side-moved')).toMatchObject([
    {
      functions: ['fscontext_read', 'fscontext_release'],
      spots: [
        { side: 'patched', what: 'fscontext_read() takes; before it took and gave back' },
        { side: 'patched', what: 'fscontext_release() gives back; before it did neither' },
      ],
    },
  ]);
  expect(of('reference-side-moved')).toMatchObject([
    {
      functions: expect.arrayContaining(['eventfd_ctx_fileget', 'eventfd_ctx_fdget']),
      spots: [{ side: 'patched', what: 'eventfd_ctx_fdget() takes; before it did neither' }, { side: 'original' }],
    },
  ]);
  for (const { file, line } of spotsOf(of('reference-side-moved')[0]!, 'original'))
    expect(sourceLine(file, line)).toMatch(/kref_get/);
});

test('near misses: a lock of another kind, two in the order that they have elsewhere, a leak mended in one function, a code more', async () => {
  const [get, remove] = ['\tkref_get(&ctx->kref);\n', '\ttimerfd_remove_cancel(ctx);\n\n'];
  const settime = '\tif ((flags & ~TFD_SETTIME_FLAGS) ||\n';
  const lock = (how: string): string =>
    `\tspin_lock${how}(&ctx->cancel_lock);\n\t__timerfd_remove_cancel(ctx);\n\tspin_unlock${how}(&ctx->cancel_lock);\n`;
  const both = ['lock(&ctx->cancel_lock)', 'lock(&cancel_lock)', 'unlock(&cancel_lock)', 'unlock(&ctx->cancel_lock)'];
  const findings = await found('livegraft_no_sides', {
    'fs/timerfd.c': edited(
      'fs/timerfd.c',
      [lock(''), lock('_irq')],
      [remove, `${both.map((each) => `\tspin_${each};\n`).join('')}${remove}`],
      [settime, `\tif (ufd == INT_MAX)\n\t\treturn -EOVERFLOW;\n\n${settime}`],
    ),
    'fs/eventfd.c': [
      get,
      `${get}\tif (ctx->id < 0) {\n\t\tkref_put(&ctx->kref, eventfd_free);\n\t\treturn ERR_PTR(-EINVAL);\n\t}\n`,
    ],
  });
  expect(findings.filter(({ code }) => code !== 'exported-changed')).toEqual([]);
});

test('near misses: a limit, a flag that goes, what is called and not who stores it', async () => {
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
