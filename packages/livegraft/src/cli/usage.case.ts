/** Wrong usage, and output as programs read it. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileProgram, livegraft } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
let patch = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-usage-'));
  patch = join(dir, 'good.patch');
  await writeFile(
    patch,
    sourcePatch(kernel, { 'fs/proc/cmdline.c': ["seq_putc(m, '\\n');", 'seq_puts(m, " x\\n");'] }),
  );
  await compileProgram();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('wrong usage is 2 and says where help is', () => {
  test.each([
    [['bogus'], /No command registered for `bogus`/, 'livegraft --help'],
    [['buidl'], /did you mean `build`/, 'livegraft --help'],
    [['kernel', 'fecth', 'x'], /did you mean `fetch`/, 'livegraft kernel --help'],
    [['build'], /Expected PATCH\n.*--kernel/, 'livegraft build --help'],
    [['build', 'x.patch', '--kernel'], /--kernel/, 'livegraft build --help'],
    [['build', 'x.patch', '--kernal', 'y'], /did you mean --kernel/, 'livegraft build --help'],
    [['kernel', 'add', 'x'], /--vmlinuz(.|\n)*--symvers/, 'livegraft kernel add --help'],
    [['try', 'x', '--cpus', 'many'], /cpus/, 'livegraft try --help'],
    [['build', 'x.patch', '--kernel', 'y', '--name', 'Not A Name'], /patch-unreadable/, ''],
  ])('livegraft %j', async (args, words, help) => {
    const ran = await livegraft(args);
    expect(ran).toMatchObject({ exit: help === '' ? 4 : 2, stdout: '', processes: [] });
    expect(ran.stderr).toMatch(words);
    expect(ran.stderr).toContain(help);
  });

  test('a name that no module can have, or another has', async () => {
    const build = (name: string) =>
      livegraft(['build', patch, '--kernel', kernel.name, '-o', join(dir, 'out'), '--quiet', '--name', name]);
    expect(await build('Not A Name')).toMatchObject({ exit: 2, stderr: expect.stringContaining('name-invalid') });
    expect(await build('loop')).toMatchObject({ exit: 2, stderr: expect.stringContaining('name-taken'), files: [] });
    expect(await readdir(dir)).not.toContain('out');
  });
});

describe('--json: one document on stdout, a line each on stderr', () => {
  test.each([
    ['done', 0, () => ['build', patch, '--kernel', kernel.name, '-o', join(dir, 'json')]],
    ['usage', 2, () => ['build', '--kernel', kernel.name]],
    ['refused', 4, () => ['build', dir, '--kernel', kernel.name]],
    ['refused', 4, () => ['try', dir]],
    ['list', 0, () => ['kernel', 'list']],
  ])('%s: %i', async (_what, exit, args) => {
    const ran = await livegraft([...args(), '--json']);
    expect(ran.exit).toBe(exit);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      schema: 1,
      ok: exit === 0,
      exit,
      diagnostics: exit === 0 ? [] : [{ exit }],
    });
    for (const line of ran.stderr.split('\n').filter((each) => each !== '')) {
      expect(JSON.parse(line)).toMatchObject({ schema: 1, event: expect.any(String) });
    }
  });
});

describe('where the output goes', () => {
  const piped = (script: string, ...args: string[]) =>
    livegraft(args, { within: ['bash', '-c', `"$@" ${script}; echo "exit \${PIPESTATUS[0]}" >&2`, 'bash'] });

  test('a reader that leaves does not hurt: | head', async () => {
    const ran = await piped('| head -1', 'build', patch, '--kernel', kernel.name, '-o', join(dir, 'head'), '--quiet');
    expect(ran).toMatchObject({ stdout: '1 function replaced in vmlinux:\n', stderr: 'exit 0\n', processes: [] });
    expect(await readdir(join(dir, 'head'))).toEqual(['livegraft_good']);
  });

  test('a reader of progress that leaves ends the work, as SIGPIPE would: 2>&1 | head', async () => {
    const ran = await piped('2>&1 | head -1', 'build', patch, '--kernel', kernel.name, '-o', join(dir, 'head2'));
    expect(ran).toMatchObject({ stdout: 'Apply the patch to the source\n', stderr: 'exit 141\n', processes: [] });
    expect(await readdir(dir)).not.toContain('head2');
  });

  test('closed from the start, the work is done', async () => {
    const ran = await piped('>&- 2>&-', 'build', patch, '--kernel', kernel.name, '-o', join(dir, 'closed'));
    expect(ran.stderr).toBe('exit 0\n');
    expect(await readdir(join(dir, 'closed'))).toEqual(['livegraft_good']);
  });

  test('full, it is 1 and said', async () => {
    const ran = await piped('> /dev/full', 'kernel', 'list');
    expect(ran.stderr).toMatch(/output-failed(.|\n)*exit 1\n/);
  });
});
