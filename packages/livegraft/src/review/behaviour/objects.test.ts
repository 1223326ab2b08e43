/** What is kept in objects across the patch: flags, and functions to be called later. */
import { expect, test } from 'vitest';
import { behaviourOf } from './behaviour.ts';

const call = (name: string, body: string): string => `static int ${name}(struct a *x)\n{\n${body}\n\treturn 0;\n}\n`;

/** What is found, as `code name field: functions`. */
function found(original: string, patched: string): string[] {
  return behaviourOf([{ path: 'a.c', original, patched }]).map(({ code, data, functions = [] }) => {
    const words = ['name', 'object', 'field'].map((key) => data?.[key]).filter((each) => typeof each === 'string');
    return `${code} ${words.join(' ')}: ${functions.join(' ')}`;
  });
}

test('a new flag that is stored in objects', () => {
  const flags = '#define A_READY (1 << 0)\n';
  const before = flags + call('f', 'x->flags |= A_READY;');
  const after = `${flags}#define A_BUSY (1 << 1)\n${call('f', 'x->flags |= A_READY | A_BUSY;')}`;
  expect(found(before, after)).toEqual(['flag-bit-new A_BUSY x->flags: f']);
  const bits = (more: string): string => `enum bits { ONE${more} };\n`;
  expect(found(bits('') + call('f', 'a(x);'), bits(', TWO') + call('f', 'set_bit(TWO, &x->state);'))).toEqual([
    'flag-bit-new TWO x->state: f',
  ]);
  expect(found(call('f', 'a(x);'), `#define S_GONE 3\n${call('f', 'WRITE_ONCE(x->state, S_GONE);')}`)).toEqual([
    'flag-bit-new S_GONE x->state: f',
  ]);
});

test('a flag of a changed header, stored elsewhere', () => {
  const findings = behaviourOf([
    { path: 'a.h', original: '', patched: '#define A_BUSY BIT(4)\n' },
    {
      path: 'a.c',
      original: call('f', 'a(x);'),
      patched: call('f', 'if (x->flags & A_BUSY)\n\treturn 1;\nx->flags |= A_BUSY;'),
    },
  ]);
  expect(findings).toMatchObject([
    {
      code: 'flag-bit-new',
      place: 'a.c',
      spots: [
        { file: 'a.h', line: 1, what: 'defines A_BUSY' },
        { file: 'a.c', line: 3, what: 'f() uses it' },
        { file: 'a.c', line: 5, what: 'f() stores it in x->flags' },
      ],
    },
  ]);
});

test('near misses: only asked for, a register, a local structure, an index, a limit, a flag that was there', () => {
  const flag = '#define A_BUSY (1 << 1)\n';
  for (const body of [
    'if (x->flags & A_BUSY)\n\treturn 1;',
    'val = readl(x->base);\nval |= A_BUSY;\nwritel(val, x->base);',
    'struct request r;\n\nr.flags = A_BUSY;\nsend(&r);',
    'x->slots[n % A_BUSY] = 1;',
    'WRITE_ONCE(x->slots[n % A_BUSY], 1);',
    'if (x->n > A_BUSY)\n\treturn 1;',
    'x->p = alloc(A_BUSY);',
  ])
    expect(found(call('f', 'a(x);'), flag + call('f', body)), body).toEqual([]);
  expect(found(flag + call('f', 'a(x);'), flag + call('f', 'x->flags |= A_BUSY;'))).toEqual([]);
});

const work = 'static void old_work(struct work_struct *w)\n{\n\ta(w);\n}\n';
const other = work.replace('old_work', 'new_work');

test('work that is set up with another function from now on', () => {
  const probe = (name: string): string => call('probe', `INIT_WORK(&x->work, ${name});`);
  expect(found(work + probe('old_work'), work + other + probe('new_work'))).toEqual(['stored-callback x->work: probe']);
  const many = (name: string): string =>
    work +
    other +
    probe(name) +
    call('first', 'INIT_WORK(&x->work, old_work);') +
    call('second', 'INIT_WORK(&x->work, new_work);');
  expect(found(many('old_work'), many('new_work'))).toEqual(['stored-callback x->work: probe']);
  const done = (name: string): string => call('open', `x->done = ${name};`);
  expect(found(work + done('old_work'), work + other + done('new_work'))).toEqual(['stored-callback x->done: open']);
});

test('work that nothing sets up any more', () => {
  const before =
    work +
    call('probe', 'INIT_DELAYED_WORK(&x->work, old_work);') +
    call('remove', 'cancel_delayed_work_sync(&x->work);');
  expect(found(before, work + call('probe', 'a(x);') + call('remove', 'a(x);'))).toEqual([
    'stored-callback x->work: probe',
  ]);
});

test('work that existing objects were never set up for', () => {
  const before = work + call('probe', 'a(x);') + call('event', 'a(x);');
  const after = work + call('probe', 'INIT_WORK(&x->work, old_work);') + call('event', 'schedule_work(&x->work);');
  expect(found(before, after)).toEqual(['stored-callback x->work: probe event']);
});

test('near misses: the function itself changes, is stored in one more place, by another call or variable, with new work in one place', () => {
  const probe = call('probe', 'INIT_WORK(&x->work, old_work);');
  expect(found(work + probe, work.replace('a(w)', 'b(w)') + probe)).toEqual([]);
  expect(found(work + probe, work + probe + call('more', 'INIT_WORK(&x->work, old_work);'))).toEqual([]);
  expect(found(work + probe, work + call('probe', 'INIT_DELAYED_WORK(&y->work, old_work);'))).toEqual([]);
  const table = 'static const struct ops ops = { .done = old_work };\n';
  const set = call('f', 'x->done = old_work;');
  expect(found(work + set, work + table + call('f', 'x->ops = &ops;'))).toEqual([]);
  const freed = call('f', 'call_rcu(&x->rcu, old_work);');
  expect(found(work + freed, work + call('f', 'a(x);'))).toEqual([]);
  const once = call('f', 'x->done = old_work;');
  expect(found(work + once, work + call('f', 'WRITE_ONCE(x->done, old_work);'))).toEqual([]);
  expect(
    found(work + call('f', 'a(x);'), work + call('f', 'INIT_WORK(&x->work, old_work);\nschedule_work(&x->work);')),
  ).toEqual([]);
});
