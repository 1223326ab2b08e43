import { expect, test } from 'vitest';
import { behaviourOf } from './behaviour.ts';

const fn = (head: string, body: string): string => `${head}(struct a *x)\n{\n${body}\n}\n`;

/** What is found, as `name: value; callers`. */
function found(original: string, patched: string): string[] {
  return behaviourOf([{ path: 'a.c', original, patched }])
    .filter(({ code }) => code.startsWith('return-'))
    .map(({ data }) => `${String(data?.['name'])}: ${String(data?.['returned'])}; ${String(data?.['callers'])}`);
}

/** `f` before and after, with callers that stay. */
function changed(type: string, before: string, after: string, ...callers: readonly string[]): string[] {
  const users = callers.map((body, i) => fn(`static int user${i}`, body)).join('');
  return found(fn(`static ${type} f`, before) + users, fn(`static ${type} f`, after) + users);
}

test('a function that never failed can fail, and a caller ignores it', () => {
  const before = 'a(x);\nreturn 0;';
  const after = 'if (!x)\n\treturn -ENOMEM;\nreturn 0;';
  expect(changed('int', before, after, 'f(x);\nreturn 0;')).toEqual([
    'f: -ENOMEM; Of the callers that stay, user0() ignores it',
  ]);
  expect(changed('int', before, 'int ret;\n\nret = a(x);\nreturn ret;', 'if (x)\n\tf(x);\nreturn 0;')).toEqual([
    'f: what a(x) returns; Of the callers that stay, user0() ignores it',
  ]);
  // near misses: one that asks, one that says that it does not care and could fail before, one more code
  expect(changed('int', before, after, 'int err = f(x);\n\nif (err)\n\treturn err;\nreturn 0;')).toEqual([]);
  expect(changed('int', 'return a(x);', after, 'f(x);\nreturn 0;')).toEqual([]);
  expect(changed('int', 'if (y)\n\treturn -EIO;\nreturn 0;', after, 'f(x);\nreturn 0;')).toEqual([]);
});

test('a yes or no that can be an error code', () => {
  const before = 'if (x->n)\n\treturn 1;\nreturn 0;';
  const after = 'if (!x->dev)\n\treturn -ENODEV;\nif (x->n)\n\treturn 1;\nreturn 0;';
  expect(changed('int', before, after, 'if (f(x))\n\ta(x);\nreturn 0;')).toEqual([
    'f: -ENODEV; Of the callers that stay, user0() takes it for true',
  ]);
  expect(changed('int', before, after, 'int n = f(x);\n\nif (n < 0)\n\treturn n;\nif (n)\n\ta(x);\nreturn 0;')).toEqual(
    [],
  );
});

test('a positive value where callers take all but 0 for a failure', () => {
  const before = 'if (!x)\n\treturn -EINVAL;\nreturn 0;';
  const after = 'if (!x)\n\treturn -EINVAL;\nif (x->done)\n\treturn 1;\nreturn 0;';
  expect(
    changed('int', before, after, 'int err;\n\nerr = f(x);\nif (err)\n\tgoto out;\nout:\na(err);\nreturn 0;'),
  ).toEqual(['f: 1; Of the callers that stay, user0() takes it for a failure']);
  expect(changed('int', before, after, 'if (f(x) < 0)\n\treturn 1;\nreturn 0;')).toEqual([]);
});

test('a pointer that may be NULL, or an error', () => {
  const before = 'return &x->b;';
  const follows = 'struct b *b = f(x);\n\nreturn b->n;';
  const asks = 'struct b *b = f(x);\n\nif (!b)\n\treturn 0;\nreturn b->n;';
  expect(changed('struct b *', before, 'if (!x->n)\n\treturn NULL;\nreturn &x->b;', follows, asks)).toEqual([
    'f: NULL; Of the callers that stay, user0() follows it without asking for NULL',
  ]);
  const error = 'if (!x->n)\n\treturn ERR_PTR(-ENOENT);\nreturn &x->b;';
  const checks = 'struct b *b = f(x);\n\nif (IS_ERR(b))\n\treturn PTR_ERR(b);\nreturn b->n;';
  expect(changed('struct b *', 'if (!x->n)\n\treturn NULL;\nreturn &x->b;', error, asks, checks)).toEqual([
    'f: ERR_PTR(-ENOENT); Of the callers that stay, user0() does not ask for it by IS_ERR()',
  ]);
});

test('an error code that a caller takes for something else', () => {
  const before = 'if (!x)\n\treturn -EINVAL;\nreturn 0;';
  const after = 'if (!x)\n\treturn -EINVAL;\nif (x->busy)\n\treturn -EAGAIN;\nreturn 0;';
  const retries = 'int ret;\n\ndo\n\tret = f(x);\nwhile (ret == -EAGAIN);\na(ret);\nreturn 0;';
  expect(changed('int', before, after, retries)).toEqual([
    'f: -EAGAIN; Of the callers that stay, user0() asks for -EAGAIN, which this function did not return before',
  ]);
  expect(changed('int', before, after.replace('AGAIN', 'BUSY'), retries)).toEqual([]);
  const [through, more] = [before, after].map((body) => body.replace('return 0', 'return a(x)'));
  expect(changed('int', through!, more!, retries)).toEqual([]);
});

test('what returns the value of a changed function counts as changed', () => {
  const rest = fn('static int g', 'return f(x);') + fn('static int user', 'g(x);\nreturn 0;');
  const f = (body: string): string => fn('static int f', body);
  expect(found(f('return 0;') + rest, f('return x ? 0 : -EIO;') + rest)).toEqual([
    'g: -EIO; Of the callers that stay, user() ignores it',
  ]);
});

test('callers in other files: one convention in the place of another; near misses: static, all callers change', () => {
  const pair = (head: string): [string, string] => [
    fn(`${head} f`, 'return NULL;'),
    fn(`${head} f`, 'return ERR_PTR(-EIO);'),
  ];
  expect(found(...pair('struct b *'))).toEqual([
    'f: ERR_PTR(-EIO); It was NULL before, and callers that stay ask for that. Callers in other files were not looked at',
  ]);
  expect(found(...pair('static struct b *'))).toEqual([]);
  const [before, after] = pair('static struct b *');
  const user = (test: string): string =>
    fn('static int g', `struct b *b = f(x);\n\nif (${test})\n\treturn 1;\nreturn b->n;`);
  expect(found(before + user('!b'), after + user('IS_ERR(b)'))).toEqual([]);
});
