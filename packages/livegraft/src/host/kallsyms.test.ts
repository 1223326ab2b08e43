import { expect, test } from 'vitest';
import { sizesIn } from './kallsyms.ts';

const text = [
  '0000000000000000 A fixed_percpu_data',
  'ffffffff81000000 T _stext',
  'ffffffff81000100 t s_show',
  'ffffffff81000180 t s_stop',
  'ffffffff81000200 t s_show',
  'ffffffff81000230 t next',
  'ffffffff81000300 T only',
  'ffffffffc0100040 t s_show\t[ext4]',
  'ffffffffc0100000 t s_show\t[ext4]',
  'ffffffffc0100050 t s_end\t[ext4]',
  '',
].join('\n');

test('sizesIn: symbols of one name, in the order of their positions, each up to the next of its object', () => {
  expect(sizesIn(text, 's_show', undefined)).toEqual([0x80, 0x30]);
  expect(sizesIn(text, 's_show', 'ext4')).toEqual([0x10, 0x40]);
});

test('sizesIn: nothing to tell apart, nothing known', () => {
  expect(sizesIn(text, 'only', undefined)).toEqual([]);
  expect(sizesIn(text, 'absent', undefined)).toEqual([]);
  expect(sizesIn(text.replace(/^f{8}\S{8}/gm, '0'.repeat(16)), 's_show', undefined)).toEqual([]);
});
