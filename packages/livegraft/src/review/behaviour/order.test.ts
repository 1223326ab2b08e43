import { expect, test } from 'vitest';
import { behaviourOf } from './behaviour.ts';
import { lockOrders } from './order.ts';
import { changedSource } from './sources.ts';

const call = (name: string, body: string): string => `static int ${name}(struct a *x)\n{\n${body}\n\treturn 0;\n}\n`;

function found(original: string, patched: string): string[] {
  return behaviourOf([{ path: 'a.c', original, patched }])
    .filter(({ code }) => code === 'lock-order-changed')
    .map(
      ({ data, functions = [] }) => `${String(data?.['outer'])} > ${String(data?.['inner'])}: ${functions.join(' ')}`,
    );
}

function orders(body: string): string[] {
  const { after } = changedSource({ path: 'a.c', original: '', patched: call('f', body) });
  return lockOrders(after.get('f')!).map(({ outer, inner }) => `${outer} > ${inner}`);
}

const nested = (outer: string, inner: string): string =>
  `mutex_lock(${outer});\nmutex_lock(${inner});\nmutex_unlock(${inner});\nmutex_unlock(${outer});`;

test('two locks of a function change places', () => {
  const [a, b] = ['&x->a_lock', '&x->b_lock'];
  expect(found(call('f', nested(a, b)), call('f', nested(b, a)))).toEqual([`${b} > ${a}: f`]);
});

test('a new order that another function has the other way round', () => {
  const other = call('g', nested('&y->list_mutex', '&y->dev_mutex'));
  const after = call('f', nested('&x->dev_mutex', '&x->list_mutex'));
  expect(found(`${call('f', 'a(x);')}${other}`, `${after}${other}`)).toEqual(['&x->dev_mutex > &x->list_mutex: f']);
});

test('near misses: the same order, one after the other, names that many structures have, an order that was there', () => {
  const other = call('g', nested('&y->list_mutex', '&y->dev_mutex'));
  const same = call('f', nested('&x->list_mutex', '&x->dev_mutex'));
  expect(found(`${call('f', 'a(x);')}${other}`, `${same}${other}`)).toEqual([]);
  const after = call(
    'f',
    'mutex_lock(&x->dev_mutex);\nmutex_unlock(&x->dev_mutex);\nmutex_lock(&x->list_mutex);\nmutex_unlock(&x->list_mutex);',
  );
  expect(found(`${call('f', 'a(x);')}${other}`, `${after}${other}`)).toEqual([]);
  const plain = call('g', nested('&y->lock', '&y->owner->lock'));
  expect(found(`${call('f', 'a(x);')}${plain}`, `${call('f', nested('&z->owner->lock', '&z->lock'))}${plain}`)).toEqual(
    [],
  );
  const known = call('f', nested('&x->dev_mutex', '&x->list_mutex'));
  expect(found(`${known}${other}`, `${known.replace('return 0', 'return 1')}${other}`)).toEqual([]);
});

test('a try, and ways that do not meet', () => {
  expect(orders('mutex_lock(&a);\nif (!mutex_trylock(&b))\n\treturn 1;\nmutex_lock(&c);')).toEqual([
    '&a > &c',
    '&b > &c',
  ]);
  expect(orders('if (y)\n\tmutex_lock(&a);\nelse\n\tmutex_lock(&b);')).toEqual([]);
  expect(orders('mutex_lock(&a);\nif (y) {\n\tmutex_unlock(&a);\n\treturn 1;\n}\nmutex_lock(&b);')).toEqual([
    '&a > &b',
  ]);
  expect(orders('mutex_lock(&a);\nif (y)\n\tgoto out;\nmutex_unlock(&a);\nreturn 0;\nout:\nmutex_lock(&b);')).toEqual([
    '&a > &b',
  ]);
  expect(orders('switch (y) {\ncase 1:\n\tmutex_lock(&a);\n\tbreak;\ncase 2:\n\tmutex_lock(&b);\n}')).toEqual([]);
});

test('guard() and scoped_guard() hold to the end of what they stand in', () => {
  expect(
    orders('{\n\tguard(mutex)(&x->a);\n\tmutex_lock(&x->b);\n\tmutex_unlock(&x->b);\n}\nmutex_lock(&x->c);'),
  ).toEqual(['&x->a > &x->b']);
  expect(
    orders('scoped_guard(mutex, &x->a) {\n\tspin_lock(&x->b);\n\tspin_unlock(&x->b);\n}\nspin_lock(&x->c);'),
  ).toEqual(['&x->a > &x->b']);
});
