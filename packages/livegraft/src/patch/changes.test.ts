import { describe, expect, test } from 'vitest';
import { changedDeclarations, sameInterface } from './changes.ts';

const changes = (before: string, after: string): string[] =>
  changedDeclarations('fs/a.c', before, after).map(
    ({ how, kind, name, file, line }) => `${how} ${kind} ${name} ${file}:${line}`,
  );

const f = 'int f(int x)\n{\n\tint y = x;\n\n\treturn y;\n}\n';

test('the line is the first one with another token', () => {
  expect(changes(f, f.replace('return y', 'y++;\n\treturn y'))).toEqual(['changed function f fs/a.c:5']);
  expect(changes(f, f.replace('\tint y = x;\n', '\tint y = x;\n\tif (x)\n\t\treturn 0;\n'))).toEqual([
    'changed function f fs/a.c:4',
  ]);
});

test('comments, blanks and shifted lines change nothing', () => {
  expect(changes(f, `/* new */\n\n${f.replace('int y = x', 'int  y = x /* why */')}`)).toEqual([]);
});

test('what comes and what goes', () => {
  expect(changes(f, `#define N 3\n${f}`)).toEqual(['new macro N fs/a.c:1']);
  expect(changes(`${f}static int g;\n`, f)).toEqual(['gone variable g fs/a.c:7']);
});

test('of two versions under #ifdef only the changed one counts', () => {
  const two = (a: string, b: string): string => `#ifdef A\n#define N ${a}\n#else\n#define N ${b}\n#endif\n`;
  expect(changes(two('1', '2'), two('1', '3'))).toEqual(['changed macro N fs/a.c:4']);
});

describe('what other code can know of a file', () => {
  const file = 'struct s { int a; };\nint f(struct s *s)\n{\n\treturn s->a;\n}\n';
  test.each([
    ['a body', file.replace('s->a', 's->a + 1'), true],
    ['comments and lines', `/* more */\n\n${file}`, true],
    ['a structure', file.replace('int a;', 'int a, b;'), false],
    ['the parameters of a function', file.replace('(struct s *s)', '(struct s *s, int n)'), false],
    ['a macro', `#define N 4\n${file}`, false],
  ])('%s', (_, patched, same) => {
    expect(sameInterface(file, patched)).toBe(same);
  });
});
