/** Who goes on with an old prototype outside of the patched units: in vmlinux, in modules, in assembly. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from '../../build/build.ts';
import type { Review } from '../../bundle/review.ts';
import { readImage } from '../../kernel/image.ts';
import { readModuleIndex } from '../../kernel/modules.ts';
import { silent } from '../../support/progress.ts';
import { type Edits, sourcePatch } from '../../testing/source-patch.ts';
import { testKernel } from '../../testing/test-kernel.ts';
import { outsideUsers } from './outside.ts';
import { referrersIn, referrersInModule } from './referrers.ts';

const kernel = await testKernel();
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-outside-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const builds = (edits: Edits) =>
  build({
    patches: [{ name: 'x.patch', bytes: Buffer.from(sourcePatch(kernel, edits), 'latin1') }],
    kernel,
    out: dir,
    name: 'livegraft_outside',
    replace: false,
    progress: silent,
  });

async function reviewed(edits: Edits) {
  const { manifest, path } = await builds(edits);
  return { manifest, review: JSON.parse(await readFile(join(path, 'review.json'), 'utf8')) as Review };
}

test('referrersIn: calls from C and assembly, an address in code, an address in data; nothing refers to what is inside of a function', async () => {
  const image = await readImage(kernel);
  const of = (name: string) => referrersIn(image, image.symbols.named(name)[0]!.address).map((symbol) => symbol.name);
  expect(of('schedule_tail')).toEqual(['ret_from_fork']);
  expect(of('radix_tree_node_rcu_free')).toEqual(expect.arrayContaining(['xas_free_nodes', 'delete_node']));
  expect(of('version_proc_show')).toEqual(['proc_version_init']);
  // start-up calls it, which is over
  expect(of('proc_create_single_data')).not.toContain('proc_version_init');
  // by its bytes alone, a function near by would be one too
  expect(of('eventfd_poll')).toEqual(['eventfd_fops']);
  expect(referrersIn(image, image.symbols.named('eventfd_poll')[0]!.address + 9n)).toEqual([]);
});

test('referrersInModule: as objdump says', async () => {
  const module = (await readModuleIndex(kernel)).find(({ name }) => name === 'ext4')!;
  const path = join(kernel.paths.modules!, module.path);
  const text = execFileSync('objdump', ['-dr', '-j', '.text', path], { encoding: 'latin1', maxBuffer: 1 << 28 });
  const users = new Set<string>();
  let user = '';
  for (const line of text.split('\n')) {
    user = /^[0-9a-f]+ <(.+)>:$/.exec(line)?.[1] ?? user;
    if (/R_X86_64_\w+\s+ext4_truncate\b/.test(line)) users.add(user);
  }
  expect(users.size).toBeGreaterThan(3);
  const found = referrersInModule(await readFile(path), 'ext4_truncate');
  expect(found.toSorted()).toEqual(expect.arrayContaining([...users].sort()));
});

test('outsideUsers: where a header tells C of it, assembly of this configuration is left', async () => {
  const path = 'include/linux/sched/task.h';
  const told = (name: string) => ({
    kernel,
    image: {} as never,
    units: [],
    files: new Map([
      [path, { path, original: `void ${name}(int a);\n`, patched: `void ${name}(int a, int b);\n`, marked: '' }],
    ]),
  });
  expect(await outsideUsers(told('schedule_tail'), {} as never, 'schedule_tail')).toEqual([
    'arch/x86/entry/entry_64.S',
  ]);
  expect(await outsideUsers(told('free_task'), {} as never, 'free_task')).toEqual([]);
});

const signal = '__u64 eventfd_signal(struct eventfd_ctx *ctx, __u64 n)\n{\n';
const header = '#include <linux/eventfd.h>\n';

test('a function that others are compiled with a hidden declaration of is refused, with who calls it there', async () => {
  const text = readFileSync(join(kernel.paths.source, 'fs/eventfd.c'), 'latin1');
  const hidden = text
    .replace(
      header,
      `#define eventfd_signal hidden\n${header}#undef eventfd_signal\n__u64 eventfd_signal(struct eventfd_ctx *ctx, __u64 n, int more);\n`,
    )
    .replace(signal, `${signal.replace('n)', 'n, int more)')}\tn += more;\n`);
  const error: unknown = await builds({ 'fs/eventfd.c': [text, hidden] }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    exit: 4,
    diagnostics: [
      {
        code: 'prototype-changed',
        data: {
          before: '__u64 eventfd_signal(struct eventfd_ctx *, __u64)',
          after: '__u64 eventfd_signal(struct eventfd_ctx *, __u64, int)',
          staying: expect.arrayContaining(['aio_complete', 'the module kvm', 'the module vhost']),
        },
      },
    ],
  });
});

test('near miss: the same change of its body alone', async () => {
  const { manifest } = await builds({ 'fs/eventfd.c': [signal, `${signal}\tn += ctx->count & 1;\n`] });
  expect(manifest.findings.filter(({ code }) => code.startsWith('prototype'))).toEqual([]);
});

const create = 'struct mb_cache *mb_cache_create(int bucket_bits)';
const wide = create.replace('int', 'long');

test('near miss: a header tells all callers, who are compiled by the new prototype', async () => {
  const { manifest, review } = await reviewed({
    'include/linux/mbcache.h': [create, wide],
    'fs/mbcache.c': [create, wide],
  });
  expect(manifest.findings.filter(({ code }) => code.startsWith('prototype'))).toEqual([]);
  expect(review.types).toMatchObject([
    { kind: 'function', name: 'mb_cache_create', before: { text: create.replace('int bucket_bits', 'int') } },
  ]);
});
