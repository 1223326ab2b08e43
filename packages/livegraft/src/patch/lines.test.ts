import { describe, expect, test } from 'vitest';
import { markLines } from './lines.ts';
import { joinLines, splitLines } from './text.ts';

/** Lines that begin with `+` are added. Returns the marked text. */
function mark(text: string): string {
  const lines = splitLines(text);
  let origin = 0;
  const origins = lines.map((line) => (line.text.startsWith('+') ? undefined : ++origin));
  return joinLines(
    markLines(
      lines.map((line) => ({ ...line, text: line.text.replace(/^\+/, '') })),
      origins,
    ),
  );
}

describe('markLines', () => {
  test('nothing is marked where nothing moved', () => {
    expect(mark('int a;\nint b;\n')).toBe('int a;\nint b;\n');
  });

  test('the first boundary after an added line, and no other', () => {
    expect(mark('int a;\n+int n;\nint b;\nint c;\n')).toBe('int a;\nint n;\n#line 2\nint b;\nint c;\n');
    expect(mark('#include <a.h>\n+#include <b.h>\n/* x */\nint a;\n')).toBe(
      '#include <a.h>\n#include <b.h>\n#line 2\n/* x */\nint a;\n',
    );
  });

  test('never inside a function, an initialiser, a call, a comment, a directive that goes on', () => {
    for (const open of [
      'int f(void) {\n+x;\na;\n}\n',
      'int a[] = {\n+1,\n2 };\n',
      'FOO(a;\n+b;\nc)\n;\n',
      '/*\n+ x\n int a;\n */\n',
      '#define A \\\n+ x; \\\n y;\n',
      'char *s = "a;\\\n+b;\\\nc";\n',
    ]) {
      const marked = mark(`${open}int z;\n`);
      const origin = open.split('\n').filter((line) => line !== '' && !line.startsWith('+')).length + 1;
      expect(marked).toBe(`${open.replace(/^\+/m, '')}#line ${origin}\nint z;\n`);
    }
  });

  test('only after the end of a declaration', () => {
    expect(mark('+\nstatic int\nf(void)\n{\n}\n')).toContain('\n#line 1\nstatic int\nf(void)');
    expect(mark('static int\n+\nf(void)\n{\n}\nint z;\n')).toBe('static int\n\nf(void)\n{\n}\n#line 5\nint z;\n');
    expect(mark('MACRO\n+\n(a)\n;\nint z;\n')).toBe('MACRO\n\n(a)\n;\n#line 4\nint z;\n');
  });

  test('a mark inside an #if branch does not count after it', () => {
    expect(mark('#ifdef A\n+int n;\nint a;\n#endif\nint b;\n')).toBe(
      '#ifdef A\nint n;\n#line 2\nint a;\n#endif\n#line 4\nint b;\n',
    );
    expect(mark('#ifdef A\n+int n;\nint a;\n#else\nint c;\n#endif\nint b;\n')).toBe(
      '#ifdef A\nint n;\n#line 2\nint a;\n#else\n#line 4\nint c;\n#endif\n#line 6\nint b;\n',
    );
  });

  test('braces that differ between branches end the marking', () => {
    const text = '#ifdef A\nint f(int a) {\n#else\nint g;\n#endif\n+x;\ny;\n}\nint z;\n';
    expect(mark(text)).toBe(text.replace('+', ''));
    const closing = 'FOO(\n#ifdef A\na)\n#else\nb\n#endif\n+x;\ny;\n)\nint z;\n';
    expect(mark(closing)).toBe(closing.replace('+', ''));
  });

  test('braces that every branch opens are counted once', () => {
    expect(mark('+\n#ifdef A\nint f(int a) {\n#else\nint f(void) {\n#endif\n}\n+\nint z;\n')).toBe(
      '\n#line 1\n#ifdef A\nint f(int a) {\n#else\nint f(void) {\n#endif\n}\n\n#line 7\nint z;\n',
    );
  });

  test('quotes: braces in them do not count, and a lone apostrophe ends with its line', () => {
    expect(mark('char a = \'{\';\nchar *b = "\\"{";\n#error don\'t {\n+\nint z;\n')).toContain('\n#line 4\nint z;\n');
  });

  test('a comment may hide a directive, and a directive may follow one', () => {
    expect(mark('/* x\n#define A {\n*/\n+\nint z;\n')).toContain('\n\n#line 4\nint z;\n');
    expect(mark('/* x */ #define A {\n+\nint z;\n')).toContain('\n\n#line 2\nint z;\n');
  });

  test('a file with thousands of #if in each other is left alone', () => {
    const text = `int a;\n+int n;\nint b;\n${'#if 1\n'.repeat(300)}`;
    expect(mark(text)).toBe(text.replace('+', ''));
  });

  test('a file with #line of its own is left alone', () => {
    expect(mark('#line 5 "x.y"\n+\nint z;\n')).toBe('#line 5 "x.y"\n\nint z;\n');
  });
});
