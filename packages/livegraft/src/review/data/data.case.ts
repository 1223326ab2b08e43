/** Data that a livepatch brings along and what it changes in the kernel: what must be told, and near misses that must not. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from '../../build/build.ts';
import { readReview } from '../../bundle/bundle.ts';
import { silent } from '../../support/progress.ts';
import { examplePatch } from '../../testing/examples.ts';
import { sourcePatch } from '../../testing/source-patch.ts';
import { testKernel } from '../../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-data-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function review(name: string, patch: string) {
  const patches = [{ name: 'x.patch', bytes: Buffer.from(patch, 'latin1') }];
  const bundle = await build({ patches, kernel, out: dir, name, replace: false, progress: silent });
  const { data, findings } = await readReview(bundle);
  const codes = findings.map(({ code }) => code).filter((code) => /^(state|data)-/.test(code));
  return {
    data: Object.fromEntries(data.map(({ name: called, ...each }) => [called.replace(/\.\d+$/, ''), each])),
    codes,
  };
}

async function example(name: string, change = (text: string) => text) {
  const text = await readFile(examplePatch(kernel, name), 'latin1');
  return review(`livegraft_${name.replace('-', '_')}`, change(text));
}

test('callbacks that set a value and put it back convert the kernel: a state names that', async () => {
  const { codes, data } = await example('initial-value');
  expect(codes).toEqual(['state-without-number', 'data-of-its-own']);
  expect(data).toMatchObject({ pipe_max_size_before: { kind: 'variable', size: 4, initial: 'zero' } });
});

test('near miss: callbacks that only say that they ran', async () => {
  expect(await example('callbacks')).toEqual({ codes: [], data: {} });
});

test('a shadow variable: its number and size; without a state it is told', async () => {
  const { codes, data } = await example('shadow-field');
  expect(codes).toEqual(['data-of-its-own']);
  expect(data).toMatchObject({
    user_notes: { kind: 'variable', size: 8 },
    'shadow variable 0x6c670001': { kind: 'shadow-variable', size: 4, unit: 'kernel/user.c' },
  });
  const without = await example('shadow-field', (text) => text.replace('+LIVEGRAFT_STATE(0x6c670001, 1);', '+'));
  expect(without.codes).toEqual(['state-without-number', 'data-of-its-own']);
});

test('first values and what becomes of them; near misses: tables that are only read, names, lock classes, rate limits, once-flags', async () => {
  const show = 'static int version_proc_show(struct seq_file *m, void *v)\n{\n';
  const { codes, data } = await review(
    'livegraft_values',
    sourcePatch(kernel, {
      'fs/proc/version.c': [
        show,
        `static const unsigned short lg_table[] = { 1, 2, 3 };
static unsigned int lg_count = 42;
static char lg_text[] = "livegraft says";
static const char *lg_pointer = lg_text;
${show}	static int lg_calls;
	static DEFINE_MUTEX(lg_lock);
	int i;

	mutex_lock(&lg_lock);
	for (i = 0; i < READ_ONCE(lg_count) && i < ARRAY_SIZE(lg_table); i++)
		seq_printf(m, "%s %s %u %d", __func__, READ_ONCE(lg_pointer), lg_table[i], lg_calls++);
	lg_count++;
	lg_text[0] = 'L';
	WRITE_ONCE(lg_pointer, lg_text + 1);
	mutex_unlock(&lg_lock);
	pr_info_once("livegraft once\\n");
	pr_info_ratelimited("livegraft often\\n");
`,
      ],
    }),
  );
  expect(codes).toEqual(['data-of-its-own']);
  expect(data).toMatchObject({
    __already_done: { kind: 'once-flag', function: 'version_proc_show', initial: 'zero' },
    _rs: { kind: 'once-flag', function: 'version_proc_show', size: 40 },
    lg_calls: { kind: 'static-local', function: 'version_proc_show', initial: 'zero' },
    lg_count: { kind: 'variable', initial: '42' },
    lg_lock: { kind: 'static-local', initial: expect.stringMatching(/^\+16 &lg_lock/) },
    lg_pointer: { initial: '&lg_text' },
    lg_table: { initial: '01 00 02 00 03 00', fate: 'is only read' },
    lg_text: { initial: '"livegraft says"' },
  });
  expect(Object.keys(data)).toHaveLength(8);
});

test('near miss: data that is only read, flags and rate limits alone are nothing to tell', async () => {
  const show = 'static int uptime_proc_show(struct seq_file *m, void *v)\n{\n';
  const { codes, data } = await review(
    'livegraft_reads',
    sourcePatch(kernel, {
      'fs/proc/uptime.c': [
        show,
        `static const unsigned short lg_table[] = { 1, 2, 3, 500, 7 };
${show}	int n = READ_ONCE(m->count);

	pr_info_once("livegraft %s %u\\n", __func__, lg_table[n % 5]);
	pr_info_ratelimited("livegraft often\\n");
`,
      ],
    }),
  );
  expect(codes).toEqual([]);
  expect(Object.keys(data).toSorted()).toEqual(['__already_done', '_rs', 'lg_table']);
});
