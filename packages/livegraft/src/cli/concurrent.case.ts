/** Several at once: on the same bundle one works and the other is told; on different ones both work. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileProgram, livegraft, start } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
let patch = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-concurrent-'));
  patch = join(dir, 'some.patch');
  const text = `seq_puts(m, " ${process.pid} ${Date.now()}\\n");`;
  await writeFile(patch, sourcePatch(kernel, { 'fs/proc/cmdline.c': ["seq_putc(m, '\\n');", text] }));
  await compileProgram();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const args = (out: string, name: string): string[] => [
  'build',
  patch,
  '--kernel',
  kernel.name,
  '-o',
  join(dir, out),
  '--name',
  name,
];

test('the same bundle: the second is 75 and names the first', async () => {
  const first = start(args('same', 'one'));
  await first.saw('Apply the patch');
  const second = await livegraft(args('same', 'one'));
  expect(second).toMatchObject({ exit: 75, stdout: '', processes: [], files: [] });
  expect(second.stderr).toMatch(/error\[busy\]/);
  expect(second.stderr).toContain(`process ${first.pid}`);
  expect(await first.ended).toMatchObject({ exit: 0, processes: [], files: [] });
  expect(await readdir(join(dir, 'same'))).toEqual(['one']);
});

test('different bundles: all are built', async () => {
  const names = ['one', 'two', 'three'];
  const ran = await Promise.all(names.map((name) => livegraft(args('different', name))));
  expect(ran.map(({ exit }) => exit)).toEqual([0, 0, 0]);
  expect(ran.flatMap(({ processes, files }) => [...processes, ...files])).toEqual([]);
  expect((await readdir(join(dir, 'different'))).sort()).toEqual([...names].sort());
});

test('the same bundle again and again: always whole', async () => {
  expect(await livegraft(args('again', 'one'))).toMatchObject({ exit: 0 });
  expect(await livegraft(args('again', 'one'))).toMatchObject({ exit: 0, files: [] });
  expect(await readdir(join(dir, 'again'))).toEqual(['one']);
  const files = (await readdir(join(dir, 'again/one'))).sort();
  expect(files).toEqual(['glue.c', 'manifest.json', 'one.ko', 'patch.diff', 'report.html', 'review.json']);
});
