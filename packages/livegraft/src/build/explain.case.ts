/** Chains from a replaced function to the changed line, on units of a real kernel and with the compiler's own reports of inlining. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readElf } from '@livegraft/binfmt/elf/read';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compilePatchedUnits } from '../kbuild/objects.ts';
import { diffObjects } from '../objdiff/diff.ts';
import { parsePatch } from '../patch/parse.ts';
import { silent } from '../support/progress.ts';
import { type Edits, sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { explainChanges } from './explain.ts';

const kernel = await testKernel();
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'livegraft-explain-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** Function → why, line numbers left out. */
async function whys(edits: Edits): Promise<Record<string, string>> {
  const patches = [parsePatch('test.patch', Buffer.from(sourcePatch(kernel, edits), 'latin1'))];
  const { units, files } = await compilePatchedUnits({ kernel, patches, scratch, progress: silent });
  const diffs = units.map(({ unit, original, patched }) => ({
    unit,
    diff: diffObjects(unit.source, readElf(original), readElf(patched)),
  }));
  const found = await explainChanges({ kernel, units: diffs, files, scratch });
  return Object.fromEntries([...found].map(([f, { why }]) => [f.name, why.replace(/:\d+/g, ':N')]));
}

test('a function that the compiler inlined', async () => {
  expect(await whys({ 'fs/proc/meminfo.c': ['seq_write(m, " kB\\n", 4)', 'seq_write(m, " KB\\n", 4)'] })).toEqual({
    meminfo_proc_show: 'inlined show_val_kb(), which changed at fs/proc/meminfo.c:N',
  });
});

test('a macro, and a function’s own text', async () => {
  expect(await whys({ 'fs/pipe.c': ['PIPE_MIN_DEF_BUFFERS 2', 'PIPE_MIN_DEF_BUFFERS 3'] })).toEqual({
    alloc_pipe_info: 'uses the macro PIPE_MIN_DEF_BUFFERS, which changed at fs/pipe.c:N',
  });
  expect(await whys({ 'fs/proc/cmdline.c': ["seq_putc(m, '\\n');", 'seq_puts(m, " x\\n");'] })).toEqual({
    cmdline_proc_show: 'changed in the source at fs/proc/cmdline.c:N',
  });
});

test('a function that the compiler inlined because it is called once', async () => {
  const edits: Edits = { 'crypto/algif_skcipher.c': ['len -= len % bs;', 'len -= len % bs + 1;'] };
  expect(await whys(edits)).toEqual({
    skcipher_recvmsg: 'inlined _skcipher_recvmsg(), which changed at crypto/algif_skcipher.c:N',
  });
});
