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
  const before = `${call('f', 'spin_lock(&x->lock);\nspin_unlock(&x->lock);')}${call('g', 'f(x);')}`;
  const after = `${call('f', 'spin_lock(&x->lock);')}${call('g', 'f(x);\nspin_unlock(&x->lock);')}`;
  expect(found(before, after)).toEqual(['lock-side-moved &x->lock: f g']);
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
