import { expect, test } from 'vitest';
import { behaviourOf } from './behaviour.ts';

/** What is found in a file, as `code name: functions`. */
function found(original: string, patched: string): string[] {
  return behaviourOf([{ path: 'a.c', original, patched }]).map(
    ({ code, data, functions = [] }) => `${code} ${String(data?.['name'])}: ${functions.join(' ')}`,
  );
}

const call = (name: string, body: string): string => `static int ${name}(struct a *x)\n{\n${body}\n\treturn 0;\n}\n`;

test('a lock that the caller gives back from now on', () => {
  const before = `${call('f', 'mutex_lock(&x->lock);\nmutex_unlock(&x->lock);')}${call('g', 'a(x);')}`;
  const after = `${call('f', 'mutex_lock(&x->lock);')}${call('g', 'a(x);\nmutex_unlock(&x->lock);')}`;
  expect(found(before, after)).toEqual(['lock-side-moved &x->lock: f g']);
  // nobody moves to the other side who holds a lock with which he may not sleep
  expect(found(before.replaceAll('mutex_', 'spin_'), after.replaceAll('mutex_', 'spin_'))).toEqual([]);
});

test('within one call nobody moves: halves that go to a caller, or come from it, when nobody else calls', () => {
  const all = 'mutex_lock(&x->lock);\nmutex_unlock(&x->lock);';
  const f = call('f', all);
  const half = call('f', 'mutex_lock(&x->lock);');
  const g = (body: string): string => call('g', body);
  const unlocked = 'f(x);\nmutex_unlock(&x->lock);';
  expect(found(`${f}${g('f(x);')}`, `${half}${g(unlocked)}`)).toEqual([]);
  // another caller, and it may be in the middle
  expect(found(`${f}${g('f(x);')}${call('h', 'f(x);')}`, `${half}${g(unlocked)}${call('h', 'f(x);')}`)).toEqual([
    'lock-side-moved &x->lock: f g',
  ]);
  // callers in other files
  const seen = (text: string): string => text.replace('static int f(', 'int f(');
  expect(found(seen(`${f}${g('f(x);')}`), seen(`${half}${g(unlocked)}`))).toEqual(['lock-side-moved &x->lock: f g']);
  // a reference that is dropped a little later, by what the function hands on
  const drop = call('end', 'dst_release(x);');
  expect(found(call('f', 'dst_release(x);'), `${drop}${call('f', 'call_rcu(&x->rcu, end);')}`)).toEqual([]);
});

test('near misses: a lock put around more, taken in a new place and given back there, another kind of it', () => {
  const before = call('f', 'a(x);\nmutex_lock(&x->m);\nb(x);\nmutex_unlock(&x->m);');
  expect(found(before, call('f', 'mutex_lock(&x->m);\na(x);\nb(x);\nmutex_unlock(&x->m);'))).toEqual([]);
  expect(found(call('f', 'a(x);'), before)).toEqual([]);
  const irq = (body: string): string => body.replace('mutex_lock(&x->m)', 'spin_lock_irq(&x->m)');
  expect(found(before, irq(before).replace('mutex_unlock(&x->m)', 'spin_unlock_irq(&x->m)'))).toEqual([]);
});

test('a reference that one function takes and another gives back from now on', () => {
  const before = `${call('open', 'a(x);')}${call('release', 'b(x);')}`;
  const after = `${call('open', 'kref_get(&x->kref);')}${call('release', 'kref_put(&x->kref, end);')}`;
  expect(found(before, after)).toEqual(['reference-side-moved kref_get/kref_put: open release']);
});

test('halves in two files, with or without the same names on the way', () => {
  const file = (path: string, original: string, patched: string) => ({ path, original, patched });
  const a = file('a.c', call('f', 'mutex_lock(&x->m);\nmutex_unlock(&x->m);'), call('f', 'mutex_lock(&x->m);'));
  const give = 'mutex_unlock(&y->a->m);';
  const b = file('b.c', call('g', 'a(x);'), call('g', give));
  const [found, ...more] = behaviourOf([a, b]);
  expect(more).toEqual([]);
  expect(found).toMatchObject({ code: 'lock-side-moved', place: 'a.c', functions: ['f', 'g'] });
  expect(found?.spots?.map((spot) => spot.file)).toEqual(['a.c', 'b.c']);
  // both take more; another lock; one file alone
  const takes = file('b.c', call('g', 'a(x);'), call('g', give.replace('unlock', 'lock')));
  const other = file('b.c', call('g', 'a(x);'), call('g', give.replace('->m)', '->n)')));
  for (const files of [[a, takes], [a, other], [a], [b]]) expect(behaviourOf(files)).toEqual([]);
  const get = file('a.c', call('f', 'a(x);'), call('f', 'kref_get(&x->k);'));
  const put = file('b.c', call('g', 'a(x);'), call('g', 'kref_put(&x->k, end);'));
  expect(behaviourOf([get, put])).toMatchObject([{ code: 'reference-side-moved', functions: ['f', 'g'] }]);
});

test('near miss: a leak mended in one function alone', () => {
  const before = call('f', 'd = get_device(x);\nif (y)\n\treturn 1;\nput_device(d);');
  const after = call('f', 'd = get_device(x);\nif (y) {\n\tput_device(d);\n\treturn 1;\n}\nput_device(d);');
  expect(found(before, after)).toEqual([]);
  expect(found(call('f', 'd = get_device(x);'), call('f', 'd = get_device(x);\nput_device(d);'))).toEqual([]);
});

test('both places are named, each in the source that has it', () => {
  const before = `${call('f', 'iput(x->inode);')}${call('g', 'a(x);')}`;
  const after = `${call('f', 'a(x);')}${call('g', 'iput(x->inode);')}`;
  const [finding] = behaviourOf([{ path: 'a.c', original: before, patched: after }]);
  expect(finding?.spots).toEqual([
    { file: 'a.c', line: 3, side: 'original', what: 'f() does neither; before it gave back' },
    { file: 'a.c', line: 8, side: 'patched', what: 'g() gives back; before it did neither' },
  ]);
});

test('who ignored the value goes on as before: that is a note', () => {
  const fn = (head: string, body: string): string => `${head}(struct a *x)\n{\n${body}\n}\n`;
  const user = (body: string): string => fn('static int user', body);
  const f = (body: string): string => fn('static int f', body);
  const codes = (before: string, after: string): string[] =>
    behaviourOf([{ path: 'a.c', original: before, patched: after }]).map(({ code, severity }) => `${code} ${severity}`);
  const ignoring = user('f(x);\nreturn 0;');
  expect(codes(f('return 0;') + ignoring, f('return x ? 0 : -EIO;') + ignoring)).toEqual(['return-ignored note']);
  const asking = user('int y = f(x);\nif (y)\n\treturn 1;\nreturn 0;');
  const positive = 'if (x->a)\n\treturn 1;\nreturn 0;';
  expect(codes(f(positive) + asking, f(`if (!x)\n\treturn -EIO;\n${positive}`) + asking)).toEqual([
    'return-changed warning',
  ]);
});
