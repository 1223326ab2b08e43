import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { applyPatches } from './apply.ts';
import { parsePatch } from './parse.ts';
import { bytesOf } from './text.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'livegraft-apply-'));
  mkdirSync(join(root, 'scratch'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function source(files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, 'src', path)), { recursive: true });
    writeFileSync(join(root, 'src', path), text, 'latin1');
  }
  return join(root, 'src');
}

function apply(tree: string, ...texts: string[]) {
  const patches = texts.map((text, i) => parsePatch(`${i + 1}.patch`, bytesOf(text)));
  const paths = new Set(patches.flatMap((patch) => patch.files.map((file) => file.path)));
  return applyPatches({ patches, source: tree, paths, scratch: join(root, 'scratch') });
}

async function refusal(work: Promise<unknown>): Promise<LivegraftError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LivegraftError);
  expect(readdirSync(join(root, 'scratch'))).toEqual([]);
  return error as LivegraftError;
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `line ${i + 1};`);
const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
/** A hunk that changes line n (1-based) of numbered lines, stated at another place. */
const hunk = (n: number, stated = n): string =>
  `@@ -${stated - 3},7 +${stated - 3},7 @@\n line ${n - 3};\n line ${n - 2};\n line ${n - 1};\n-line ${n};\n+LINE ${n};\n line ${n + 1};\n line ${n + 2};\n line ${n + 3};\n`;
const head = '--- a/fs/x.c\n+++ b/fs/x.c\n';

describe('applyPatches', () => {
  test('a file that the patch adds, and that a second patch changes; it must not be there', async () => {
    const tree = source({ 'fs/a.c': 'a\n' });
    const add = '--- /dev/null\n+++ b/fs/new/n.h\n@@ -0,0 +1,2 @@\n+one\n+two\n';
    const change = '--- a/fs/new/n.h\n+++ b/fs/new/n.h\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n';
    const { files } = await apply(tree, add, change);
    expect(files.get('fs/new/n.h')).toMatchObject({ original: '', patched: 'one\nthree\n', marked: 'one\nthree\n' });
    source({ 'fs/new/n.h': 'x\n' });
    expect((await refusal(apply(tree, add))).code).toBe('patch-file-odd');
  });

  test('several hunks and patches, in order', async () => {
    const tree = source({ 'fs/x.c': text(numbered(40)) });
    const { files, findings } = await apply(tree, head + hunk(10) + hunk(20), head + hunk(30));
    const expected = numbered(40).map((line, i) => ([9, 19, 29].includes(i) ? line.toUpperCase() : line));
    expect(files.get('fs/x.c')!.patched).toBe(text(expected));
    expect(files.get('fs/x.c')!.original).toBe(text(numbered(40)));
    expect(findings).toEqual([]);
    expect(readdirSync(join(root, 'scratch'))).toEqual([]);
  });

  test('a hunk that moved is applied where alone it fits, with a note', async () => {
    const tree = source({ 'fs/x.c': text(['new;', ...numbered(40)]) });
    const { files, findings } = await apply(tree, head + hunk(10));
    expect(files.get('fs/x.c')!.patched.split('\n')[10]).toBe('LINE 10;');
    expect(findings.map(({ code, message }) => [code, message])).toEqual([
      ['hunk-moved', 'Hunk 1 of fs/x.c applies at line 8, 1 lines after the place it names'],
    ]);
  });

  test('a hunk that moved and fits twice is refused', async () => {
    const tree = source({ 'fs/x.c': text(['new;', ...numbered(40), ...numbered(40)]) });
    const error = await refusal(apply(tree, head + hunk(10)));
    expect(error.code).toBe('hunk-ambiguous');
    expect(error.message).toContain('lines 8, 48');
  });

  test('a hunk that fits nowhere: what is expected and what stands there', async () => {
    const lines = numbered(40);
    lines[10] = 'else;';
    const error = await refusal(apply(source({ 'fs/x.c': text(lines) }), head + hunk(30), head + hunk(10)));
    expect(error.diagnostics.map(({ code, place }) => [code, place])).toEqual([['hunk-fails', '2.patch:9']]);
    expect(error.message).toContain('at fs/x.c:11');
    expect(error.message).toContain('"line 11;"');
    expect(error.message).toContain('"else;"');
  });

  test('after twenty hunks that do not fit, the file is another one: no more are searched for', async () => {
    const hunks = Array.from({ length: 50 }, (_, i) => `@@ -${i + 1} +${i + 1} @@\n-not there\n+x\n`);
    const tree = source({ 'fs/x.c': 'a\n'.repeat(60) });
    const { diagnostics } = await refusal(apply(tree, `--- a/fs/x.c\n+++ b/fs/x.c\n${hunks.join('')}`));
    expect(diagnostics).toHaveLength(20);
  });

  test('a hunk that is there already', async () => {
    const lines = numbered(40);
    lines[9] = 'LINE 10;';
    const error = await refusal(apply(source({ 'fs/x.c': text(lines) }), head + hunk(10)));
    expect(error.code).toBe('hunk-already-applied');
    expect(error.diagnostics[0].data).toMatchObject({ at: 7, hunk: 1 });
  });

  test('a hunk without context has no place that can be checked', async () => {
    const tree = source({ 'fs/x.c': text(numbered(10)) });
    expect((await refusal(apply(tree, `${head}@@ -5 +5 @@\n-line 5;\n+LINE 5;\n`))).code).toBe('hunk-without-context');
    expect((await refusal(apply(tree, `${head}@@ -5,0 +6 @@\n+new;\n`))).code).toBe('hunk-without-context');
  });

  test('a missing file, and a link that leads out of the tree', async () => {
    const tree = source({ 'fs/y.c': '' });
    expect((await refusal(apply(tree, head + hunk(10)))).code).toBe('patch-file-missing');
    mkdirSync(join(root, 'outside'));
    writeFileSync(join(root, 'outside', 'x.c'), text(numbered(20)));
    symlinkSync(join(root, 'outside'), join(tree, 'link'));
    expect((await refusal(apply(tree, (head + hunk(10)).replaceAll('fs/', 'link/')))).code).toBe('patch-file-odd');
    symlinkSync(join(root, 'outside', 'x.c'), join(tree, 'fs', 'x.c'));
    expect((await refusal(apply(tree, head + hunk(10)))).code).toBe('patch-file-odd');
  });

  test('CR, bytes that are no UTF-8, and a missing last newline survive', async () => {
    const tree = source({ 'fs/x.c': 'a\r\nb\xe9\r\nlast' });
    const { files } = await apply(
      tree,
      `${head}@@ -1,3 +1,3 @@\n a\r\n-b\xe9\r\n+c\xe8\r\n last\n\\ No newline at end of file\n`,
    );
    expect(files.get('fs/x.c')!.patched).toBe('a\r\nc\xe8\r\nlast');
  });

  test('a surrounding repository and its settings have no say', async () => {
    execFileSync('git', ['init', '-q', root]);
    execFileSync('git', ['-C', root, 'config', 'apply.whitespace', 'fix']);
    execFileSync('git', ['-C', root, 'config', 'core.autocrlf', 'true']);
    const tree = source({ 'fs/x.c': text(numbered(40)) });
    const { files } = await apply(tree, head + hunk(10).replace('+LINE 10;', '+LINE 10; \t'));
    expect(files.get('fs/x.c')!.patched.split('\n')[9]).toBe('LINE 10; \t');
  });

  test('agrees with diff: applying the difference of two texts gives the second', async () => {
    const line = fc.constantFrom('a;', 'b;', '}', '', '{');
    const some = fc.array(line, { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(some, some, fc.boolean(), async (one, two, ended) => {
        const [from, to] = [text(one), ended ? text(two) : text(two).slice(0, -1)];
        if (from === to || to === '') return;
        const tree = source({ 'fs/x.c': from });
        writeFileSync(join(root, 'new.c'), to);
        const diff = execFileSync('sh', ['-c', 'diff -u --label a/fs/x.c --label b/fs/x.c src/fs/x.c new.c || true'], {
          cwd: root,
        }).toString();
        const { files } = await apply(tree, diff);
        expect(files.get('fs/x.c')!.patched).toBe(to);
      }),
      { numRuns: 60 },
    );
  });
});
