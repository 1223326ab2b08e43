/** What is to be judged about a bundle, and about patches before they are one, as people and scripts see it. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Review, reviewSchema } from '../bundle/review.ts';
import { examplePatch } from '../testing/examples.ts';
import { compileProgram, livegraft, type Ran, type RunSettings } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { cmdline, good } from '../testing/workplace.ts';

const kernel = await testKernel();
const example = (name: string): string => examplePatch(kernel, name);
let dir = '';
/** Nothing to judge, but a large function and data; tasks sleep in what it replaces; a copy of the first to spoil. */
let [clear, judged, fresh] = ['', '', ''];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-review-'));
  [clear, judged, fresh] = [join(dir, 'clear'), join(dir, 'judged'), join(dir, 'fresh')];
  await compileProgram();
  for (const [patch, name] of [
    ['proc-meminfo', 'clear'],
    ['sleeping-reader', 'judged'],
  ] as const) {
    const args = ['build', example(patch), '--kernel', kernel.name, '-o', dir, '--name', name, '--quiet'];
    expect(await livegraft(args)).toMatchObject({ exit: 0 });
  }
  await writeFile(join(dir, 'good.patch'), sourcePatch(kernel, good));
});
beforeEach(async () => {
  await rm(fresh, { recursive: true, force: true });
  await cp(clear, fresh, { recursive: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const review = (args: readonly string[], settings?: RunSettings): Promise<Ran> =>
  livegraft(['review', ...args], settings);

/** On a terminal of so many columns, which `script` of util-linux makes. */
function onTerminal(columns: number, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const within = ['sh', '-c', `script -qec "stty cols ${columns}; $(printf '%s ' "$@")" /dev/null`, 'sh'];
  return review(args, { within, env: { TERM: 'xterm', ...env } });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's language
const colour = /\x1b\[[\d;]*m/g;
/** A line of a source file, or an instruction. */
const code = /^ {4}[-+ ] +(\d+|\+0x[\da-f]+) {2}/;

describe('a terminal', () => {
  test.each([40, 80, 200])('of %i columns: no line is longer, but code that has no place to break', async (columns) => {
    for (const bundle of [clear, judged]) {
      for (const more of [[], ['--verbose']]) {
        const ran = await onTerminal(columns, [bundle, ...more]);
        expect(ran).toMatchObject({ exit: 0, processes: [], files: [] });
        const lines = ran.stdout.replace(colour, '').split('\r\n');
        expect(lines[1]).toMatch(/^(Nothing was found|One finding needs)/);
        const long = lines.filter((line) => line.length > columns && line.trim().includes(' ') && !code.test(line));
        expect(long).toEqual([]);
      }
    }
  });

  test('with colours, unless NO_COLOR or TERM=dumb says otherwise', async () => {
    expect((await onTerminal(80, [judged])).stdout).toMatch(colour);
    expect((await onTerminal(80, [judged], { NO_COLOR: '1' })).stdout).not.toContain('\x1b');
    expect((await onTerminal(80, [judged], { TERM: 'dumb' })).stdout).not.toContain('\x1b');
  });
});

test('first the verdict, then findings, functions and why, data; nothing on stderr', async () => {
  const ran = await review([judged]);
  expect(ran).toMatchObject({ exit: 0, stderr: '', processes: [], files: [] });
  expect(ran.stdout).toMatch(
    /^judged for \S+\nOne finding needs your judgement\.\n\nwarning\[waits-long\] fs\/pipe\.c: pipe_read\n(.|\n)*\n1 function replaced\n\n {2}pipe_read: \d+ → \d+ bytes, \d+ instructions differ\n {4}changed in the source at fs\/pipe\.c:243\n {4}waits for an event/,
  );
  expect(ran.stdout).toMatch(/\nData that comes along\n {2}__already_done\S*: once-flag, 1 byte, at first zero\n/);
  expect((await review([judged, '--quiet'])).stdout).toBe(ran.stdout);
});

test('--verbose: of a large function what differs and what is around it, before and after', async () => {
  const { stdout } = await review([clear, '--verbose']);
  const short = await review([clear]);
  expect(stdout).toContain('    function meminfo_proc_show: fs/proc/meminfo.c:');
  expect(stdout).toMatch(
    /\n {4}- +\d+ .*"MemTotal: .*\n {4}- +\d+ .*"MemFree: .*\n {4}\+ +\d+ .*"RamTotal: .*\n {4}\+ +\d+ .*"RamFree: /,
  );
  expect(stdout).toMatch(
    /\n {4}- +\+0x\w+ {2}mov +\$"MemTotal: +",%rsi\n {4}\+ +\+0x\w+ {2}mov +\$"RamTotal: +",%rsi\n/,
  );
  expect(stdout).toMatch(/\n {4}resolved by the livepatch core: [^:]*\bsi_swapinfo\b/);
  // 2,650 bytes are 600 instructions and 120 lines
  expect(stdout.split('\n').length).toBeLessThan(short.stdout.split('\n').length + 100);
});

test('--json: what review.json says', async () => {
  const ran = await review([judged, '--json']);
  const { schema, command, ok, exit, result, diagnostics } = JSON.parse(ran.stdout);
  expect({ schema, command, ok, exit, diagnostics, stderr: ran.stderr }).toEqual({
    ...{ schema: 1, command: 'review', ok: true, exit: 0 },
    ...{ diagnostics: [], stderr: '' },
  });
  expect(v.parse(reviewSchema, result)).toEqual(JSON.parse(await readFile(join(judged, 'review.json'), 'utf8')));
});

test('--check: 4 while something is to be judged, else 0', async () => {
  expect(await review([clear, '--check'])).toMatchObject({ exit: 0, stderr: '' });
  expect(await review([judged, '--check'])).toMatchObject({ exit: 4, stderr: '' });
  const ran = await review([judged, '--check', '--json']);
  expect(JSON.parse(ran.stdout)).toMatchObject({ ok: false, exit: 4, result: { verdict: { state: 'judgement' } } });
});

describe('a bundle that cannot be reviewed is 4, by name', () => {
  const spoilt = async (file: string, change?: (text: string) => string): Promise<Ran> => {
    const path = join(fresh, file);
    if (change === undefined) await rm(path);
    else await writeFile(path, change(await readFile(path, 'utf8')));
    return review([fresh]);
  };

  test.each([
    ['no manifest', 'manifest.json', undefined, /bundle-unreadable.* (.|\n)*it has no manifest\.json/],
    ['no review', 'review.json', undefined, /review-unreadable(.|\n)*it has no review\.json/],
    ['half a review', 'review.json', (text: string) => text.slice(0, 999), /review\.json is no JSON/],
    [
      'another word',
      'review.json',
      (text: string) => text.replace('"state": "clear"', '"state": "fine"'),
      /review\.json: verdict\.state/,
    ],
    ['a newer schema', 'review.json', (text: string) => text.replace('"schema": 1', '"schema": 2'), /json: schema/],
  ])('%s', async (_what, file, change, words) => {
    const ran = await spoilt(file, change);
    expect(ran).toMatchObject({ exit: 4, stdout: '', processes: [], files: [] });
    expect(ran.stderr).toMatch(words);
    expect(ran.stderr).toContain(fresh);
  });

  test('the review of another module', async () => {
    await cp(join(judged, 'review.json'), join(fresh, 'review.json'));
    const ran = await review([fresh]);
    expect(ran).toMatchObject({ exit: 4, stdout: '' });
    expect(ran.stderr.replace(/\s+/g, ' ')).toMatch(/review-unreadable.*about another module/);
  });
});

describe('patches', () => {
  const of = (ran: Ran): Review => v.parse(reviewSchema, JSON.parse(ran.stdout).result);

  test('the same review as of the bundle that they make, and nothing is left of it', async () => {
    const before = await readdir(dir);
    const args = [join(dir, 'good.patch'), '--kernel', kernel.name];
    const ran = await review([...args, '--json', '--quiet'], { cwd: dir });
    expect(ran).toMatchObject({ exit: 0, stderr: '', processes: [], files: [] });
    expect(await readdir(dir)).toEqual(before);
    expect(await livegraft(['build', ...args, '-o', join(dir, 'out'), '--quiet'])).toMatchObject({ exit: 0 });
    const written = join(dir, 'out/livegraft_good/review.json');
    expect(of(ran)).toEqual(JSON.parse(await readFile(written, 'utf8')));
    const shown = await review([join(dir, 'out/livegraft_good')]);
    const { stdout } = await review([...args, '--quiet']);
    expect(stdout).toBe(shown.stdout);
    const replacing = of(await review([...args, '--replace', '--json']));
    expect({ ...replacing, module: of(ran).module }).toEqual(of(ran));
    expect(replacing.module).not.toBe(of(ran).module);
  });

  test('several are reviewed as one bundle; --check is about all', async () => {
    const args = [join(dir, 'good.patch'), example('sleeping-reader'), '--kernel', kernel.name, '--json', '--check'];
    const ran = await review(args);
    expect(ran.exit).toBe(4);
    expect(of(ran).functions.map(({ name }) => name)).toEqual(['pipe_read', 'cmdline_proc_show']);
  });

  test('refused: all that stops it, as build says it, then what else was found', async () => {
    const patch = join(dir, 'refused.patch');
    const [head, print] = ['struct timerfd_ctx {\n', '\tret = 0;\n\t__pipe_lock(pipe);\n'];
    await writeFile(
      patch,
      sourcePatch(kernel, {
        'fs/timerfd.c': [head, `${head}\tint livegraft;\n`],
        'fs/pipe.c': [print, `\tpr_info_once("livegraft\\n");\n${print}`],
      }),
    );
    const args = [patch, '--kernel', kernel.name];
    const [built, ran] = [
      await livegraft(['build', ...args, '-o', join(dir, 'out'), '--quiet']),
      await review([...args, '--quiet']),
    ];
    expect(built).toMatchObject({ exit: 4, stdout: '' });
    expect(built.stderr).toMatch(/^error\[layout-changed\]/);
    expect(ran).toMatchObject({ exit: 4, stdout: '', processes: [], files: [] });
    expect(ran.stderr.startsWith(built.stderr)).toBe(true);
    expect(ran.stderr.slice(built.stderr.length)).toMatch(/^warning\[waits-long\] fs\/pipe\.c: pipe_read\n/);
    const { result, diagnostics } = JSON.parse((await review([...args, '--json'])).stdout);
    expect({ result, codes: diagnostics.map(({ code }: { code: string }) => code) }).toMatchObject({
      result: null,
      codes: expect.arrayContaining(['layout-changed', 'waits-long']),
    });
  });

  test('the end is as of build: no change of code is 3, a kernel that is not there 4', async () => {
    const comment = join(dir, 'comment.patch');
    const line = 'static int cmdline_proc_show(';
    await writeFile(comment, sourcePatch(kernel, { [cmdline]: [line, `/* shows it */\n${line}`] }));
    const ran = await review([comment, '--kernel', kernel.name, '--quiet']);
    expect(ran).toMatchObject({ exit: 3, stdout: '', processes: [], files: [] });
    expect(ran.stderr).toMatch(/nothing to do\[/);
    const absent = await review([comment, '--kernel', '1.2.3-none', '--quiet']);
    expect(absent).toMatchObject({ exit: 4, stdout: '' });
    expect(absent.stderr).toContain('1.2.3-none');
  });
});

describe('what is neither, or does not go together, is told by name', () => {
  test.each([
    ['nothing', 4, () => [join(dir, 'nothing')], /error\[not-reviewable\] .*\/nothing\n/],
    ['a device', 4, () => ['/dev/null'], /error\[not-reviewable\] \/dev\/null\n/],
    [
      'a patch without a kernel',
      2,
      () => [join(dir, 'good.patch')],
      /review-without-kernel.*good\.patch(.|\n)*--kernel/,
    ],
    ['two bundles', 2, () => [clear, judged], /review-mixed/],
    [
      'a bundle and a patch',
      2,
      () => [clear, join(dir, 'good.patch'), '-k', kernel.name],
      /review-mixed.*(.|\n)*good\.patch/,
    ],
    ['a bundle for a kernel', 2, () => [clear, '--kernel', kernel.name, '--replace'], /--kernel and --replace/],
    ['no word', 2, () => [], /BUNDLE\|PATCH/],
  ])('%s', async (_what, exit, args, words) => {
    const ran = await review(args());
    expect(ran).toMatchObject({ exit, stdout: '', processes: [], files: [] });
    expect(ran.stderr).toMatch(words);
  });

  test('--running asks for root, before anything is read', async () => {
    const nobody = ['setpriv', '--reuid=65534', '--clear-groups'];
    const ran = await review([join(dir, 'nothing'), '--running'], process.getuid?.() === 0 ? { within: nobody } : {});
    expect(ran).toMatchObject({ exit: 2, stdout: '' });
    expect(ran.stderr).toMatch(/error\[not-root\]\n.*review --running/);
  });

  test.skipIf(process.getuid?.() !== 0)('--running on another kernel is 5, before patches are built', async () => {
    for (const args of [[clear], [join(dir, 'good.patch'), '--kernel', kernel.name]]) {
      const ran = await review([...args, '--running']);
      expect(ran).toMatchObject({ exit: 5, stdout: '', files: [] });
      expect(ran.stderr).toMatch(/^error\[(bundle-for-other-kernel|kernel-build-id-unknown)\]/);
    }
  });
});
