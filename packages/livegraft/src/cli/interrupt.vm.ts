/** A trial that is interrupted leaves no guest, no files, and its bundle as it was. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileProgram, livegraft, program, start } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
let bundle = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-interrupt-'));
  bundle = join(dir, 'livegraft_some');
  await writeFile(
    join(dir, 'some.patch'),
    sourcePatch(kernel, { 'fs/proc/cmdline.c': ["seq_putc(m, '\\n');", 'seq_puts(m, " x\\n");'] }),
  );
  await compileProgram();
  expect(await livegraft(['build', join(dir, 'some.patch'), '--kernel', kernel.name, '-o', dir])).toMatchObject({
    exit: 0,
  });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test.each([0, 500, 2_000, 5_000, 8_000])('Ctrl-C %i ms into a trial: 130, no guest left', async (delay) => {
  const run = start(['try', bundle]);
  await run.saw('Try livegraft_some');
  await new Promise((resolve) => setTimeout(resolve, delay));
  process.kill(-run.pid, 'SIGINT');
  expect(await run.ended).toMatchObject({ exit: 130, stdout: '', processes: [], files: [] });
  expect((await readdir(bundle)).sort()).toEqual([
    'glue.c',
    'livegraft_some.ko',
    'manifest.json',
    'patch.diff',
    'report.html',
    'review.json',
  ]);
});

test('kill -9: the guest ends with us', async () => {
  const run = start(['try', bundle]);
  await run.saw('Try livegraft_some');
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  process.kill(run.pid, 'SIGKILL');
  expect(await run.ended).toMatchObject({ exit: 137, processes: [], files: [] });
});

test('a command’s exit code comes back, and livegraft itself runs in the guest', async () => {
  const run = (...command: string[]) => livegraft(['vm', kernel.name, ...command]);
  expect(await run('--', 'uname', '-r')).toMatchObject({ exit: 0, stdout: `${kernel.release}\n`, processes: [] });
  expect(await run('--', 'sh', '-c', 'exit 42')).toMatchObject({ exit: 42, stdout: '' });
  const own = await livegraft(['--version']);
  expect(await run('--', process.execPath, program, '--version')).toMatchObject({ exit: 0, stdout: own.stdout });
  const json = await run('--json', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3');
  expect(json.exit).toBe(3);
  expect(JSON.parse(json.stdout)).toMatchObject({
    ok: false,
    exit: 3,
    result: { exitCode: 3, stdout: 'out\n', stderr: 'err\n' },
  });
});
