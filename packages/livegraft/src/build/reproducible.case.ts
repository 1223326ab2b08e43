/** The same inputs give the same bytes: other folders, another cache that was prepared anew, another zone, locale and umask, and no object kept. */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examplePatch } from '../testing/examples.ts';
import { compileProgram, livegraft, type Ran } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
let other: Readonly<Record<string, string>> = {};
/** The header needs the list of all units made anew, which takes minutes. */
const long = process.env['LIVEGRAFT_LONG'] !== undefined;
/** Built-in code that names its file and line; built-in code and a module; a new field beside a structure; a header. */
const patches = ['names', 'late-module', 'shadow-field', ...(long ? ['header-macro'] : [])];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-reproducible-'));
  await compileProgram();
  const text = `seq_puts(m, " " __FILE__ "\\n");\n	WARN_ON(!m);\n	pr_info_once("%s %d\\n", __func__, __LINE__);`;
  await writeFile(
    join(dir, 'names.patch'),
    sourcePatch(kernel, { 'fs/proc/cmdline.c': ["seq_putc(m, '\\n');", text] }),
  );
  for (const name of patches.slice(1)) await cp(examplePatch(kernel, name), join(dir, `${name}.patch`));
  // the same kernel at another place, source and build tree
  const source = join(dir, 'elsewhere/source');
  await mkdir(join(source, '..'));
  // hard links where that is possible: a source tree is not written to
  const copy = (how: string): Buffer => execFileSync('cp', [how, kernel.paths.source, source], { stdio: 'ignore' });
  try {
    copy('-al');
  } catch {
    await rm(source, { recursive: true, force: true });
    copy('-a');
  }
  const { vmlinuz, config, symvers, modules } = kernel.paths;
  other = { XDG_CACHE_HOME: join(dir, 'cache'), TZ: 'Pacific/Auckland', LC_ALL: 'C.UTF-8', HOME: dir };
  const files = ['--vmlinuz', vmlinuz, '--source', source, '--config', config, '--symvers', symvers];
  const parts = [...files, ...(modules === undefined ? [] : ['--modules', modules])];
  const added = await livegraft(['kernel', 'add', kernel.name, ...parts, '--quiet'], { env: other });
  expect(added).toMatchObject({ exit: 0, stderr: '' });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const build = (patch: string, out: string, settings: Parameters<typeof livegraft>[1]): Promise<Ran> =>
  livegraft(['build', patch, '--kernel', kernel.name, '-o', out, '--quiet'], settings);

test.each(patches)('%s: identical bytes', async (name) => {
  const [here, there] = [join(dir, 'here', name), join(dir, 'there and deeper', name)];
  const first = await build(join(dir, `${name}.patch`), here, { env: { TZ: 'UTC', LC_ALL: 'C' } });
  expect(first.exit).toBe(0);
  const within = ['sh', '-c', 'umask 077; exec "$@"', 'sh'];
  expect(await build(`${name}.patch`, there, { cwd: dir, env: other, within })).toMatchObject({
    exit: 0,
    // warnings of the review, the same ones; nothing else under --quiet
    stderr: first.stderr,
  });
  const bundle = (await readdir(here))[0]!;
  const files = (await readdir(join(here, bundle))).sort();
  expect((await readdir(join(there, bundle))).sort()).toEqual(files);
  expect(files).toEqual(expect.arrayContaining(['manifest.json', 'report.html', 'review.json', `${bundle}.ko`]));
  for (const file of files) {
    const [one, two] = await Promise.all([here, there].map((out) => readFile(join(out, bundle, file))));
    expect(two!.equals(one!), file).toBe(true);
    // no folder of this machine in it
    expect(one!.includes(dir), file).toBe(false);
    expect(one!.includes(kernel.dir), file).toBe(false);
  }
});

test('verify builds it again, says what is equal, and where what was changed differs', async () => {
  const bundle = join(dir, 'here/names/livegraft_names');
  const verify = (path: string): Promise<Ran> => livegraft(['verify', path, '--json', '--quiet']);
  const said = (ran: Ran) => JSON.parse(ran.stdout);
  const whole = await verify(bundle);
  expect(whole).toMatchObject({ exit: 0, processes: [], files: [] });
  expect(said(whole).result).toMatchObject({
    equal: true,
    files: [{ name: 'livegraft_names.ko' }, {}, {}, {}, {}, {}],
  });
  const copy = join(dir, 'changed');
  await cp(bundle, copy, { recursive: true });
  const change = async (file: string, edit: (text: string) => string): Promise<void> =>
    writeFile(join(copy, file), edit(await readFile(join(copy, file), 'latin1')), 'latin1');
  // a module that is consistent with its manifest, and not with its source
  const sum = (): string =>
    execFileSync('sha256sum', [join(copy, 'livegraft_names.ko')], { encoding: 'latin1' }).slice(0, 64);
  const before = sum();
  await change('livegraft_names.ko', (text) => text.replace('fs/proc/cmdline.c\n', 'fs/proc/cmdlime.c\n'));
  for (const file of ['manifest.json', 'review.json']) await change(file, (text) => text.replaceAll(before, sum()));
  await change('glue.c', (text) => text.replace('livegraft', 'livecraft'));
  const changed = await verify(copy);
  expect(changed).toMatchObject({ exit: 1, processes: [], files: [] });
  const places = said(changed).result.files.map((file: { name: string; difference?: { where: string } }) => [
    file.name,
    file.difference?.where,
  ]);
  expect(places).toEqual([
    ['livegraft_names.ko', expect.stringMatching(/^\.rodata\S*\+0x[0-9a-f]+/)],
    ['manifest.json', 'module.sha256'],
    ['review.json', 'module'],
    ['report.html', undefined],
    ['glue.c', expect.stringMatching(/^line \d+$/)],
    ['patch.diff', undefined],
  ]);
  await change('patch.diff', (text) => `${text}\n`);
  expect(said(await verify(copy))).toMatchObject({ exit: 4, diagnostics: [{ code: 'bundle-inconsistent' }] });
  await rm(copy, { recursive: true });
  await cp(bundle, copy, { recursive: true });
  await change('manifest.json', (text) => text.replaceAll(kernel.facts.buildId, '11'.repeat(20)));
  expect(said(await verify(copy))).toMatchObject({ exit: 4, diagnostics: [{ code: 'rebuild-no-kernel' }] });
  await change('manifest.json', (text) => text.replace(/"livegraft": "[^"]+"/, '"livegraft": "0.0.1"'));
  expect(said(await verify(copy))).toMatchObject({ exit: 1, diagnostics: [{ code: 'rebuild-other-livegraft' }] });
});
