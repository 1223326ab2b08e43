/** livegraft.h through the whole build: what is refused, what comes of the rest, and that a module which registers something else is found. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Bundle } from '../bundle/bundle.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { compilePatchedUnits } from '../kbuild/objects.ts';
import { readImage } from '../kernel/image.ts';
import { parsePatch } from '../patch/parse.ts';
import { readLivegraftNote } from '../support/livegraft-note.ts';
import { silent } from '../support/progress.ts';
import { type Edits, sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { KoEditor } from '../verify/testing/ko-editor.ts';
import { verifyModule } from '../verify/verify.ts';
import { build } from './build.ts';

const kernel = await testKernel();
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-author-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const patchesOf = (edits: Edits) => [{ name: 'x.patch', bytes: Buffer.from(sourcePatch(kernel, edits), 'latin1') }];
const builds = (edits: Edits, name = 'livegraft_x', out = dir): Promise<Bundle> =>
  build({ patches: patchesOf(edits), kernel, out, name, replace: false, progress: silent });

const show = 'static int version_proc_show(';
/** What a patch says, before the first function of fs/proc/version.c. */
const says = (text: string): Edits => ({ 'fs/proc/version.c': [show, `#include <livegraft.h>\n${text}\n${show}`] });
const f = 'static void f(struct klp_object *obj) { pr_info("f\\n"); }\n';
const g = 'static void g(struct klp_object *obj) { pr_info("g\\n"); }\n';

describe('refused', () => {
  test.each([
    ['a callback that is no function', 'static int f = 3;\nLIVEGRAFT_POST_PATCH(f);', 'does-not-compile'],
    ['a callback of another type', `${f}LIVEGRAFT_PRE_PATCH(f);`, 'does-not-compile'],
    ['an entry without a function', 'LIVEGRAFT_ENTRY(x, .kind = 2, .name = "x");', 'callback-not-function'],
    [
      'a function that the kernel has already',
      'static int version_proc_show(struct seq_file *m, void *v);\nLIVEGRAFT_ENTRY(x, .kind = 2, .function = version_proc_show, .name = "x");',
      'callback-not-function',
    ],
    ['a callback that is freed', `${f.replace('void', 'void __init')}LIVEGRAFT_POST_PATCH(f);`, 'init-changed'],
    ['two of a kind', `${f}${g}LIVEGRAFT_POST_PATCH(f);\nLIVEGRAFT_POST_PATCH(g);`, 'callback-twice'],
    [
      'two states of one number',
      `${f}LIVEGRAFT_POST_PATCH(f);LIVEGRAFT_STATE(1, 1);\nLIVEGRAFT_STATE(1, 2);`,
      'state-twice',
    ],
    ['a state without a number', `${f}LIVEGRAFT_POST_PATCH(f);LIVEGRAFT_STATE(0, 1);`, 'state-invalid'],
    ['no reason to leave out', 'LIVEGRAFT_IGNORE(version_proc_show, " ");', 'ignore-without-reason'],
    ['no reason to take in', 'LIVEGRAFT_INCLUDE(version_proc_show, " ");', 'include-without-reason'],
    ['no second argument', 'LIVEGRAFT_INCLUDE(version_proc_show);', 'does-not-compile'],
    ['a change of something that is not there', 'LIVEGRAFT_IGNORE(nowhere, "why");', 'author-name-unknown'],
    ['a function that is not there', 'LIVEGRAFT_INCLUDE(nowhere, "why");', 'author-name-unknown'],
    ['an entry of another kind', 'LIVEGRAFT_ENTRY(x, .kind = 9, .name = "x");', 'author-unreadable'],
  ])('%s', async (_, text, code) => {
    const error = await builds(says(text)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LivegraftError);
    const { exit, diagnostics } = error as LivegraftError;
    expect({ exit, codes: diagnostics.map((each) => each.code) }).toMatchObject({
      exit: 4,
      codes: expect.arrayContaining([code]),
    });
  });

  test('another size of an ignored variable', async () => {
    const before = 'static unsigned int pipe_max_size = 1048576;';
    const after = `#include <livegraft.h>\nstatic unsigned long pipe_max_size = 1;\nLIVEGRAFT_IGNORE(pipe_max_size, "why");`;
    await expect(builds({ 'fs/pipe.c': [before, after] })).rejects.toMatchObject({
      diagnostics: expect.arrayContaining([expect.objectContaining({ code: 'ignore-too-much' })]),
    });
  });

  test('nothing but a change that is left out', async () => {
    const edits = says('LIVEGRAFT_IGNORE(proc_version_init, "why");');
    await expect(builds(edits)).rejects.toMatchObject({ exit: 3, code: 'nothing-to-replace' });
  });
});

test('an ignored change of __init code stays out, a function that did not change comes in; the manifest says both', async () => {
  const { manifest } = await builds({
    'fs/proc/version.c': [
      'static int __init proc_version_init(void)\n{\n',
      `#include <livegraft.h>
LIVEGRAFT_INCLUDE(version_proc_show, "it reads what changes");
LIVEGRAFT_IGNORE(proc_version_init, "it has run");
static int __init proc_version_init(void)
{
	pr_info("livegraft\\n");
`,
    ],
  });
  expect(manifest.functions).toMatchObject([
    { name: 'version_proc_show', causes: [{ kind: 'forced', reason: 'it reads what changes' }] },
  ]);
  expect(manifest).toMatchObject({
    forced: [{ unit: 'fs/proc/version.c', name: 'version_proc_show', reason: 'it reads what changes' }],
    ignored: [{ unit: 'fs/proc/version.c', name: 'proc_version_init', reason: 'it has run' }],
  });
  expect(manifest.findings.map(({ code }) => code).sort()).toEqual(['change-ignored', 'function-forced']);
});

test('a static key of a module: refused as a branch, read by LIVEGRAFT_KEY_ENABLED()', async () => {
  const source = 'net/netfilter/nf_tables_core.c';
  const branch = 'if (static_branch_unlikely(&nft_counters_enabled))';
  const first = 'static noinline void __nft_trace_packet';
  const text = await readFile(join(kernel.paths.source, source), 'latin1');
  const part = text.slice(text.indexOf(first), text.indexOf(branch) + branch.length);
  const say = part.replace(branch, () => `pr_info_once("livegraft\\n");\n\t${branch}`);
  const patched = (text: string): Edits => ({ [source]: [part, `#include <livegraft.h>\n${text}`] });
  await expect(builds(patched(say))).rejects.toMatchObject({
    code: 'static-key-in-module',
  });
  const { manifest } = await builds(
    patched(say.replaceAll(/static_branch_unlikely\(&(\w+)\)/g, 'LIVEGRAFT_KEY_ENABLED($1)')),
  );
  expect(manifest.functions.map(({ name }) => name)).toEqual(['nft_do_chain']);
});

describe('callbacks and states', () => {
  const edits: Edits = {
    'fs/proc/version.c': [
      show,
      `#include <livegraft.h>
static int before(struct klp_object *obj) { pr_info("before\\n"); return 0; }
static void after(struct klp_object *obj) { pr_info("after %lx\\n", livegraft_state(obj, 5)->id); }
LIVEGRAFT_PRE_PATCH(before);
LIVEGRAFT_POST_UNPATCH(after);
LIVEGRAFT_STATE(5, 7);
${show}`,
    ],
    'fs/proc/uptime.c': [
      'static int uptime_proc_show(',
      `#include <livegraft.h>
${f}LIVEGRAFT_POST_UNPATCH(f);
LIVEGRAFT_INCLUDE(uptime_proc_show, "why");
static int uptime_proc_show(`,
    ],
  };

  test('are in the manifest and in the note; another folder gives the same bytes', async () => {
    const { manifest, module } = await builds(edits, 'livegraft_calls');
    const callbacks = manifest.callbacks!.map(({ object, unit, kind, function: name }) => [object, unit, kind, name]);
    expect(callbacks.toSorted((a, b) => (a.join() < b.join() ? -1 : 1))).toEqual([
      ['vmlinux', 'fs/proc/uptime.c', 'post_unpatch', 'f'],
      ['vmlinux', 'fs/proc/version.c', 'post_unpatch', 'after'],
      ['vmlinux', 'fs/proc/version.c', 'pre_patch', 'before'],
    ]);
    expect(manifest.states).toEqual([{ id: 5, version: 7 }]);
    expect(readLivegraftNote(new KoEditor(module).section('.note.livegraft').data)).toMatchObject({
      name: 'livegraft_calls',
      kernel: kernel.facts.buildId,
      states: [{ id: 5, version: 7 }],
      callbacks: { vmlinux: ['pre_patch', 'post_unpatch'] },
    });
    const again = await builds(edits, 'livegraft_calls', await mkdtemp(join(dir, 'other-')));
    expect(Buffer.compare(again.module, module)).toBe(0);
  });

  test('of a module that registers something else are found', async () => {
    const { manifest, path } = await builds(edits, 'livegraft_calls');
    const patches = patchesOf(edits).map(({ name, bytes }) => parsePatch(name, bytes));
    const { units } = await compilePatchedUnits({ kernel, patches, scratch: dir, progress: silent });
    const image = await readImage(kernel);
    const bytes = await readFile(join(path, 'livegraft_calls.ko'));
    const problems = (change: (ko: KoEditor) => void): string[] => {
      const ko = new KoEditor(bytes);
      change(ko);
      const verified = verifyModule({
        module: ko.bytes,
        image,
        modules: new Map(),
        vermagic: kernel.facts.vermagic,
        functions: manifest.functions,
        units: units.map(({ unit, ...objects }) => ({ source: unit.source, object: unit.klpObject, ...objects })),
      });
      return verified.problems.filter(({ severity }) => severity === 'error').map(({ code }) => code);
    };
    expect(problems(() => undefined)).toEqual([]);
    // the table of two rows: uptime has one callback, version two
    const table = `.rela${new KoEditor(bytes).symbol('callbacks_0').section}`;
    const { offset } = new KoEditor(bytes).symbol('callbacks_0');
    const cells = (ko: KoEditor) =>
      ko.entries(table).filter((each) => each.offset >= offset && each.offset < offset + 96);
    expect(cells(new KoEditor(bytes))).toHaveLength(3);
    const swapped = problems((ko) => {
      const [one, , other] = cells(ko);
      ko.redirect(one!, other!);
    });
    expect(swapped).toContain('module-wrong');
    const version = problems((ko) => ko.bump(ko.symbol('states').section, ko.symbol('states').offset + 8));
    expect(version).toContain('module-not-loadable');
    expect(problems((ko) => ko.replace('"id":5', '"id":6'))).toEqual(['module-not-loadable']);
  });
});
