import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { formatFile } from './format.ts';
import { parsePatch } from './parse.ts';
import { bytesOf } from './text.ts';
import type { Hunk, PatchFile } from './types.ts';

const parse = (text: string) => parsePatch('fix.patch', bytesOf(text));

function refusal(text: string): LivegraftError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof LivegraftError) return error;
    throw error;
  }
  throw new Error('the patch was accepted');
}

const body = '@@ -1,3 +1,3 @@ int f(void)\n one\n-two\n+TWO\n three\n';
const git = `diff --git a/fs/x.c b/fs/x.c\nindex 1..2 100644\n--- a/fs/x.c\n+++ b/fs/x.c\n${body}`;

describe('parsePatch', () => {
  test('a git diff', () => {
    const { files } = parse(git);
    expect(files).toEqual([
      {
        change: 'modify',
        path: 'fs/x.c',
        patchLine: 1,
        hunks: [
          {
            patchLine: 5,
            oldStart: 1,
            oldCount: 3,
            newStart: 1,
            newCount: 3,
            lines: [
              { kind: 'context', text: 'one', newline: true },
              { kind: 'remove', text: 'two', newline: true },
              { kind: 'add', text: 'TWO', newline: true },
              { kind: 'context', text: 'three', newline: true },
            ],
          },
        ],
      },
    ]);
  });

  test('a format-patch mail: subject, no trailer among the lines, several mails in one text', () => {
    const mail = (n: number) =>
      `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\nSubject: [PATCH v2 ${n}/2] ext4: fix the\n =?UTF-8?q?caf=C3=A9?=\n\nWords\n---\n fs/x.c | 2 +-\n\n${git}-- \n2.39.5\n\n`;
    const patch = parse(mail(1) + mail(2));
    expect(patch.subject).toBe('ext4: fix the café');
    expect(patch.files.map((file) => file.hunks[0]!.lines.length)).toEqual([4, 4]);
    expect(patch.files[1]!.patchLine).toBeGreaterThan(20);
  });

  test('a removed line `-- ` inside a hunk is counted, not taken for the trailer', () => {
    const { files } = parse('--- a/x/y.c\n+++ b/x/y.c\n@@ -1,2 +1 @@\n--- \n keep\n-- \n2.39.5\n');
    expect(files[0]!.hunks[0]!.lines[0]).toEqual({ kind: 'remove', text: '-- ', newline: true });
  });

  test('plain diff -u with time stamps, two files', () => {
    const stamp = '\t2024-01-01 00:00:00.000000000 +0000';
    const { files } = parse(
      `diff -ru a/m.c b/m.c\n--- a/m.c${stamp}\n+++ b/m.c${stamp}\n${body}--- a/n.c${stamp}\n+++ b/n.c${stamp}\n${body}`,
    );
    expect(files.map(({ change, path }) => [change, path])).toEqual([
      ['modify', 'm.c'],
      ['modify', 'n.c'],
    ]);
  });

  test('creation, deletion, rename, mode', () => {
    const { files } = parse(
      [
        '--- a/old.c\t1970-01-01 00:00:00.000000000 +0000\n+++ b/old.c\t2024-01-01 00:00:00 +0000\n@@ -0,0 +1 @@\n+x\n',
        'diff --git a/n.c b/n.c\nnew file mode 100644\n--- /dev/null\n+++ b/n.c\n@@ -0,0 +1 @@\n+x\n',
        'diff --git a/d.c b/d.c\ndeleted file mode 100644\n--- a/d.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n',
        'diff --git a/o.c b/p.c\nsimilarity index 100%\nrename from o.c\nrename to p.c\n',
        'diff --git a/e f.sh b/e f.sh\nold mode 100644\nnew mode 100755\n',
      ].join(''),
    );
    expect(files.map(({ change, path, oldPath, hunks }) => [change, path, oldPath, hunks.length])).toEqual([
      ['create', 'old.c', undefined, 1],
      ['create', 'n.c', undefined, 1],
      ['delete', 'd.c', undefined, 1],
      ['rename', 'p.c', 'o.c', 0],
      ['modify', 'e f.sh', undefined, 0],
    ]);
  });

  test('quoted names, no newline at the end, empty context lines without their blank', () => {
    const { files } = parse(
      'diff --git "a/f\\303\\251\\t.c" "b/f\\303\\251\\t.c"\n--- "a/f\\303\\251.c"\n+++ "b/f\\303\\251.c"\n@@ -1,2 +1,2 @@\n\n-a\n\\ No newline at end of file\n+b\n'.replaceAll(
        '\\t.c',
        '.c',
      ),
    );
    expect(Buffer.from(files[0]!.path, 'latin1').toString()).toBe('fé.c');
    expect(files[0]!.hunks[0]!.lines).toEqual([
      { kind: 'context', text: '', newline: true },
      { kind: 'remove', text: 'a', newline: false },
      { kind: 'add', text: 'b', newline: true },
    ]);
  });

  test('CR LF: a mangled patch is mended, CR in the source stays', () => {
    expect(parse(git.replaceAll('\n', '\r\n')).files).toEqual(parse(git).files);
    expect(parse(git.replace(' one\n', ' one\r\n')).files[0]!.hunks[0]!.lines[0]!.text).toBe('one\r');
  });

  test.each([
    ['', 'patch-empty', 'fix.patch'],
    ['hello\n', 'patch-empty', 'fix.patch'],
    [git.replace(' three\n', ''), 'patch-malformed', 'fix.patch:8'],
    [git.replace('-1,3', '-1,2'), 'patch-malformed', 'fix.patch:9'],
    [git.replace(' three\n', 'three\n'), 'patch-malformed', 'fix.patch:9'],
    [git.replace('@@ -1,3 +1,3 @@', '@@ -1,3 +1,99999999999 @@'), 'patch-malformed', 'fix.patch:5'],
    [`${git}+extra\n`, 'patch-malformed', 'fix.patch:10'],
    [`${git}@@ -2,1 +2,1 @@\n-a\n+b\n`, 'patch-malformed', 'fix.patch:10'],
    [body, 'patch-malformed', 'fix.patch:1'],
    ['diff --cc fs/x.c\n', 'patch-malformed', 'fix.patch:1'],
    [git.replace('--- a/fs/x.c', '--- a/fs/y.c'), 'patch-malformed', 'fix.patch:1'],
    [git.replaceAll('fs/x.c', '../x.c'), 'patch-path', 'fix.patch:3'],
    [git.replaceAll('a/fs/x.c', 'a//etc/passwd'), 'patch-path', 'fix.patch:3'],
    [git.replaceAll('fs/x.c', '.git/config'), 'patch-path', 'fix.patch:3'],
    ['--- x.c\n+++ x.c\n@@ -1 +1 @@\n-a\n+b\n', 'patch-path', 'fix.patch:1'],
    ['diff --git a/l.png b/l.png\nindex 1..2\nGIT binary patch\nliteral 3\n', 'patch-binary', 'fix.patch:3'],
    ['Binary files a/l.png and b/l.png differ\n', 'patch-binary', 'fix.patch:1'],
    [`Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n${git}`, 'patch-malformed', 'fix.patch:2'],
  ])('refuses %j', (text, code, place) => {
    const error = refusal(text);
    expect(error.code).toBe(code);
    expect(error.exit).toBe(4);
    expect(error.diagnostics[0].place).toBe(place);
  });

  test('any text is understood or refused, never worse', () => {
    const pieces = fc.constantFrom(
      ...git.split('\n'),
      '@@ -0,0 +1 @@',
      '@@ -1 +0,0 @@',
      '\\ No newline at end of file',
      '--- /dev/null',
      '-- ',
      '"',
      'a"b\\',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(pieces).map((lines) => lines.join('\n')),
          fc.string(),
        ),
        (text) => {
          try {
            parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(LivegraftError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('truncated anywhere it is refused, or has lost only what is not part of a hunk', () => {
    for (let end = 0; end < git.length; end++) {
      try {
        expect(parse(git.slice(0, end)).files[0]!.path).toBe('fs/x.c');
      } catch (error) {
        expect(error).toBeInstanceOf(LivegraftError);
      }
    }
  });

  test('what formatFile writes is read back', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '-', '+', '\t', '\\', '@', '\xe9', '\r') });
    const line = fc.record({ kind: fc.constantFrom('context', 'add', 'remove'), text, newline: fc.constant(true) });
    const hunks = fc
      .array(fc.array(line, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 })
      .map((list) => {
        let at = 1;
        return list.map((lines): Hunk => {
          const oldCount = lines.filter(({ kind }) => kind !== 'add').length;
          const newCount = lines.filter(({ kind }) => kind !== 'remove').length;
          const start = at;
          at += oldCount + 1;
          return { patchLine: 0, oldStart: start, oldCount, newStart: start, newCount, lines: lines as Hunk['lines'] };
        });
      });
    const name = fc.constantFrom('fs/x.c', 'a b/c"d.c', 'k\xc3\xa9.c');
    fc.assert(
      fc.property(hunks, name, (list, path) => {
        const file: PatchFile = { change: 'modify', path, patchLine: 1, hunks: list };
        const [read] = parse(formatFile(file)).files;
        expect({ ...read, hunks: read!.hunks.map((hunk) => ({ ...hunk, patchLine: 0 })) }).toEqual(file);
      }),
    );
  });

  test('a huge hostile text is done with quickly enough to be tested', () => {
    expect(refusal(`diff --git ${'a/ '.repeat(500_000)}\n`).code).toBe('patch-malformed');
    expect(refusal(`--- a/x\n+++ b/x\n@@ -1,99999999 +1,99999999 @@\n${' \n'.repeat(500_000)}`).code).toBe(
      'patch-malformed',
    );
    expect(refusal('--- \n'.repeat(300_000)).code).toBe('patch-empty');
  });
});
