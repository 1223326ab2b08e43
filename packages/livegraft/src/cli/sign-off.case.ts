/** Signing a bundle, as people and scripts do it. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { compileProgram, livegraft, type Ran, type RunSettings } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { good } from '../testing/workplace.ts';

const kernel = await testKernel();
let dir = '';
let bundle = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-sign-off-'));
  await compileProgram();
  await writeFile(join(dir, 'good.patch'), sourcePatch(kernel, good));
  const args = ['build', join(dir, 'good.patch'), '--kernel', kernel.name, '-o', dir, '--quiet'];
  expect(await livegraft(args)).toMatchObject({ exit: 0, stderr: '' });
});
beforeEach(async () => {
  bundle = join(dir, 'fresh');
  await rm(bundle, { recursive: true, force: true });
  await cp(join(dir, 'livegraft_good'), bundle, { recursive: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const by = 'Ada Reader <ada@example.org>';
const sign = (more: readonly string[], settings?: RunSettings): Promise<Ran> =>
  livegraft(['sign-off', bundle, '--by', by, '--verdict', 'approved', ...more], settings);
const signed = async () => JSON.parse(await readFile(join(bundle, 'sign-offs.json'), 'utf8').catch(() => 'null'));

test('without a terminal: shows what would be signed, and asks for --yes', async () => {
  const ran = await sign([]);
  expect(ran).toMatchObject({ exit: 2, processes: [], files: [] });
  expect(ran.stderr).toMatch(/error\[sign-off-unconfirmed\](.|\n)*--yes/);
  expect(ran.stdout).toMatch(/^livegraft_good: \S/);
  for (const file of ['livegraft_good.ko', 'manifest.json', 'review.json', 'report.html', 'patch.diff', 'glue.c'])
    expect(ran.stdout).toMatch(new RegExp(`^[0-9a-f]{64}  ${file.replace('.', '\\.')}$`, 'm'));
  expect(await signed()).toBeNull();
});

test('with --yes: appended, and told in JSON', async () => {
  expect(await sign(['--yes', '--quiet', '--comment', 'read it all'])).toMatchObject({ exit: 0, stderr: '' });
  const ran = await livegraft([
    'sign-off',
    bundle,
    '--by',
    'Bob <bob@example.org>',
    '--verdict',
    'rejected',
    '--yes',
    '--json',
  ]);
  const { result } = JSON.parse(ran.stdout);
  expect(result.signOffs).toMatchObject([
    { by, verdict: 'approved', comment: 'read it all' },
    { by: 'Bob <bob@example.org>', verdict: 'rejected' },
  ]);
  expect(await signed()).toEqual({ schema: 1, signOffs: result.signOffs });
});

test.each([
  ['yes', 0],
  ['no', 1],
])('on a terminal: asks, and %s is an answer', async (answer, exit) => {
  const within = ['sh', '-c', `(sleep 1; echo ${answer}) | script -qec "$(printf "'%s' " "$@")" /dev/null`, 'sh'];
  const ran = await sign([], { within, env: { TERM: 'xterm', NO_COLOR: '1' } });
  expect(ran).toMatchObject({ exit, processes: [], files: [] });
  expect(ran.stdout).toContain(`${by} says approved to livegraft_good. Sign? [y/N]`);
  expect((await signed())?.signOffs.length ?? 0).toBe(exit === 0 ? 1 : 0);
});

test('refuses a bundle that does not fit together, and a person without a mail', async () => {
  await writeFile(join(bundle, 'patch.diff'), 'other');
  const ran = await sign(['--yes', '--quiet']);
  expect(ran).toMatchObject({ exit: 4, stdout: '' });
  expect(ran.stderr).toMatch(/bundle-inconsistent.*patch\.diff/);
  const odd = await livegraft(['sign-off', bundle, '--by', 'Ada', '--verdict', 'approved', '--yes']);
  expect(odd).toMatchObject({ exit: 2, stdout: '' });
  expect(odd.stderr).toContain('Name <mail>');
  expect(await signed()).toBeNull();
});

test('refuses a report that shows something else than the files beside it have, and one that is missing', async () => {
  const path = join(bundle, 'report.html');
  const page = await readFile(path, 'utf8');
  expect(page).toContain('Nothing was found that needs a person');
  await writeFile(path, page.replace('Nothing was found that needs', 'It is perfect, nobody needs'));
  const ran = await sign(['--yes', '--quiet']);
  expect(ran).toMatchObject({ exit: 4, stdout: '' });
  expect(ran.stderr).toMatch(/report-other(.|\n)*something else/);
  await rm(path);
  expect((await sign(['--yes', '--quiet'])).stderr).toMatch(/report-other(.|\n)*no report\.html/);
  expect(await signed()).toBeNull();
});

test('a key that is none signs nothing', async () => {
  await writeFile(join(dir, 'no-key'), 'nothing\n', { mode: 0o600 });
  const ran = await sign(['--yes', '--quiet', '--key', join(dir, 'no-key')]);
  expect(ran).toMatchObject({ exit: 1 });
  expect(ran.stderr).toMatch(/signing-failed/);
  expect(await signed()).toBeNull();
});
