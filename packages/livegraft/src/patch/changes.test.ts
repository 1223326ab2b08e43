import { expect, test } from 'vitest';
import { changedDeclarations } from './changes.ts';

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
