/** Types against the BTF of the kernel and of a module: one that is another, and all that may look like it and is none. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Btf } from '@livegraft/binfmt/btf';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findUnit } from '../../kbuild/find-unit.ts';
import { unitTypes } from '../../kbuild/type-info.ts';
import { readImage } from '../../kernel/image.ts';
import { testKernel } from '../../testing/test-kernel.ts';
import { layoutsNamed, layoutsOf } from './layout.ts';
import { reviewShipped } from './shipped.ts';
import { compileTypes } from './testing/compile-types.ts';

const kernel = await testKernel();
const image = await readImage(kernel);
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-shipped-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function review(source: string, object = 'vmlinux') {
  const { btf } = await compileTypes(dir, source);
  return reviewTypes(btf, object);
}

function reviewTypes(btf: Btf, object: string) {
  const unit = { source: 'a.c', types: { original: btf, patched: btf }, space: { own: { name: object } } };
  const subject = { kernel, image, units: [unit] } as unknown as Parameters<typeof reviewShipped>[0];
  return reviewShipped(subject);
}

const entry = (fields: string) => `struct ext4_extent { ${fields} } it;`;
const words = 'unsigned int ee_block; unsigned short ee_len, ee_start_hi; unsigned int ee_start_lo;';

test('a structure of the kernel, an enum, a structure of a module, that are others', async () => {
  const [found, ...more] = await review(
    'struct list_head { struct list_head *next; long between; struct list_head *prev; } it;',
  );
  expect(more).toEqual([]);
  expect(found).toMatchObject({
    code: 'type-not-shipped',
    exit: 5,
    data: {
      name: 'list_head',
      fields: [
        'rebuilt                    | shipped',
        '+8 long int between        |',
        '+16 struct list_head *prev | +8 struct list_head *prev',
        'size 24                    | size 16',
      ],
    },
  });
  expect(await review('enum pid_type { PIDTYPE_PID, PIDTYPE_PGID } it;')).toMatchObject([
    {
      data: {
        name: 'pid_type',
        fields: [
          'rebuilt: PIDTYPE_PID 0, PIDTYPE_PGID 1',
          expect.stringMatching(/^shipped: PIDTYPE_PID 0, PIDTYPE_TGID 1/),
        ],
      },
    },
  ]);
  expect(await review(entry(words.replace('short', 'int')), 'ext4')).toMatchObject([
    { data: { name: 'ext4_extent', object: 'ext4' } },
  ]);
});

test('near misses: the same, in other words; what only another module has; names that nobody has; a pointer to what is not laid out', async () => {
  expect(await review('typedef struct list_head list; struct list_head { list *next, *prev; } it;')).toEqual([]);
  expect(await review(entry(words), 'ext4')).toEqual([]);
  expect(await review(entry('int other;'))).toEqual([]);
  expect(
    await review('struct livegraft_nowhere { int x; } it; typedef struct { int y; } livegraft_t; livegraft_t that;'),
  ).toEqual([]);
  expect(await review('struct list_head; struct list_head *it;')).toEqual([]);
});

test('near miss: all types of a rebuilt unit of a module, most of which the kernel has', async () => {
  const unit = await findUnit(kernel, 'fs/ext4/xattr.c');
  const btf = await unitTypes({ kernel, unit, scratch: dir });
  const names = [...layoutsOf(btf).values()].flat().map(({ name }) => name);
  expect(names.filter((name) => layoutsNamed(image.btf, name).length > 0).length).toBeGreaterThan(names.length / 2);
  expect(await reviewTypes(btf, 'ext4')).toEqual([]);
});
