/** Patches to headers of a real kernel: which units they reach, and what becomes of them. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BTF_KIND } from '@livegraft/binfmt/btf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { readIncludeGraph } from '../patch/include-graph.ts';
import { localChange } from '../patch/local-change.ts';
import { parsePatch } from '../patch/parse.ts';
import { byteString, bytesOf } from '../patch/text.ts';
import { silent } from '../support/progress.ts';
import { type Edits, sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { compileUnit } from './compile.ts';
import { findUnit } from './find-unit.ts';
import { candidatesOf } from './headers.ts';
import { runMake, withBuildTree } from './make.ts';
import { compilePatchedUnits, type PatchedUnits } from './objects.ts';
import { mayMention, openDependences } from './preprocess.ts';
import { savedCommand, splitCommands } from './shell.ts';
import { withPatchedTree } from './tree.ts';
import { readUnitIndex, sourceOf } from './unit-index.ts';

const k = await testKernel();
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-headers-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const compile = async (text: string): Promise<PatchedUnits> => {
  const scratch = join(dir, 'scratch');
  const patches = [parsePatch('p', bytesOf(text))];
  const request = { kernel: k, patches, scratch, cache: join(dir, 'objects'), progress: silent };
  try {
    return await compilePatchedUnits(request);
  } finally {
    expect(await readdir(scratch)).toEqual([]);
  }
};
const patched = (edits: Edits): Promise<PatchedUnits> => compile(sourcePatch(k, edits));
const counts = (findings: readonly Diagnostic[]): unknown => findings.find(({ code }) => code === 'header-units')?.data;

const vlan = 'net/8021q/vlan.h';

describe('the list of units', () => {
  // built in and modules, single and of several, with flags of their own, through other folders' Makefiles
  const sources = [
    'kernel/sched/core.c',
    'mm/kasan/common.c',
    'arch/x86/kernel/head64.c',
    'kernel/trace/ftrace.c',
    'lib/string.c',
    'fs/ext4/mballoc.c',
    'net/8021q/vlan_core.c',
    'drivers/net/dummy.c',
  ];

  test('has the commands that kbuild runs', async () => {
    const index = await readUnitIndex(k, { progress: silent });
    const units = index.units.filter(({ source }) => sources.includes(source));
    const objects = units.map(({ source }) => source.replace(/c$/, 'o'));
    await withBuildTree(k, undefined, async () => {
      expect((await runMake(k, ['-k', ...objects])).stderr).not.toMatch(/error/i);
      for (const unit of units) {
        const object = unit.source.replace(/c$/, 'o');
        const file = join(k.paths.build, dirname(object), `.${object.slice(dirname(object).length + 1)}.cmd`);
        const [words] = splitCommands(savedCommand(await readFile(file, 'utf8'), object)!);
        const told = words!.slice(0, -4).filter((word) => !word.startsWith('-Wp,-M'));
        expect(unit.commandOf().compile).toEqual(told);
      }
    });
    expect(units.length).toBeGreaterThan(6);
    expect(index.units.length).toBeGreaterThan(5000);
  });

  test('knows units that another folder’s Makefile compiles', async () => {
    const unit = await findUnit(k, 'virt/kvm/kvm_main.c');
    expect(unit).toMatchObject({ klpObject: 'kvm', spelled: 'arch/x86/kvm/../../../virt/kvm/kvm_main.c' });
    expect((await findUnit(k, 'arch/x86/power/cpu.c')).command.compile).toContain('-fno-stack-protector');
  });
});

describe('a patch to a header', () => {
  test('an inline function: units of vmlinux and of a module, each one that calls it, through others too', async () => {
    const { units, findings } = await patched({
      [vlan]: ['int pidx = vlan_proto_idx(vlan_proto);', 'int pidx = vlan_proto_idx(vlan_proto) & 1;'],
    });
    expect(units.map(({ unit }) => [unit.source, unit.klpObject])).toEqual([
      ['net/8021q/vlan.c', '8021q'],
      ['net/8021q/vlan_core.c', 'vmlinux'],
    ]);
    expect(counts(findings)).toMatchObject({ including: 7, compiled: 2, changed: 2 });
  });

  test('a macro that one unit uses', async () => {
    const { units } = await patched({
      [vlan]: ['VLAN_PROTO_NUM * VLAN_N_VID; i++', 'VLAN_PROTO_NUM * VLAN_N_VID - 1; i++'],
    });
    expect(units.map(({ unit }) => unit.source)).toEqual(['net/8021q/vlan.c']);
  });

  test.each<[string, Edits]>([
    [
      'only comments, above code with line numbers in it',
      { [vlan]: ['static inline int vlan_proto_idx', '/* one\n * two\n */\nstatic inline int vlan_proto_idx'] },
    ],
    [
      'a new inline function',
      {
        [vlan]: [
          'static inline int vlan_proto_idx',
          'static inline int livegraft(void)\n{\n\treturn 1;\n}\n\nstatic inline int vlan_proto_idx',
        ],
      },
    ],
    [
      'a macro nobody uses',
      { [vlan]: ['static inline int vlan_proto_idx', '#define LIVEGRAFT 1\n\nstatic inline int vlan_proto_idx'] },
    ],
    [
      'a prototype',
      { [vlan]: ['u32 skb_prio, u16 vlan_prio);\nint', 'u32 skb_prio, u16 vlan_prio);\nint livegraft(void);\nint'] },
    ],
  ])('%s: nothing to do', async (_, edits) => {
    await expect(patched(edits)).rejects.toMatchObject({ code: 'header-unused', exit: 3 });
  });

  test('without #line marks the comment would have changed code', async () => {
    const text = byteString(await readFile(join(k.paths.source, vlan)));
    const files = new Map([
      [vlan, text.replace('static inline int vlan_proto_idx', '\n\nstatic inline int vlan_proto_idx')],
    ]);
    const unit = await findUnit(k, 'net/8021q/vlan_core.c');
    await withPatchedTree(k.paths.source, join(dir, 'scratch'), files, async (tree) => {
      const request = { kernel: k, unit, variant: 'pair', cache: join(dir, 'objects') } as const;
      const shifted = await compileUnit({ ...request, tree });
      expect(Buffer.compare(shifted.object, (await compileUnit(request)).object)).not.toBe(0);
    });
  });

  test('a unit that the patch changes too is compiled in any case; others only if they depend on it', async () => {
    const { units } = await patched({
      [vlan]: ['static inline int vlan_proto_idx', '#define LIVEGRAFT 1\n\nstatic inline int vlan_proto_idx'],
      'net/8021q/vlan_core.c': [
        'return vlan_group_get_device(&vlan_info->grp,',
        'if (LIVEGRAFT)\n\t\treturn vlan_group_get_device(&vlan_info->grp,',
      ],
    });
    expect(units.map(({ unit }) => unit.source)).toEqual(['net/8021q/vlan_core.c']);
  });

  test('a new header', async () => {
    const edit = sourcePatch(k, {
      'net/8021q/vlan_core.c': ['#include "vlan.h"\n', '#include "vlan.h"\n#include "livegraft.h"\n'],
    });
    const add = '--- /dev/null\n+++ b/net/8021q/livegraft.h\n@@ -0,0 +1 @@\n+int livegraft(void);\n';
    const { units } = await compile(edit + add);
    expect(units.map(({ unit }) => unit.source)).toEqual(['net/8021q/vlan_core.c']);
  });

  test('a structure: its users, with their types, and the exports that take it', async () => {
    const { units, findings } = await patched({
      'include/linux/mbcache.h': ['\tu64\t\t\te_value;\n', '\tu64 livegraft;\n\tu64\t\t\te_value;\n'],
    });
    expect(units.map(({ unit }) => [unit.source, unit.klpObject])).toEqual([
      ['fs/ext4/xattr.c', 'ext4'],
      ['fs/mbcache.c', 'mbcache'],
    ]);
    const sizes = units.map(({ types }) =>
      [types!.original, types!.patched].map((btf) => btf.type(btf.named(BTF_KIND.STRUCT, 'mb_cache_entry')[0]!).size),
    );
    expect(sizes).toEqual([
      [56, 64],
      [56, 64],
    ]);
    const exports = findings.filter(({ code }) => code === 'export-changed').map(({ data }) => data?.['name']);
    expect(exports).toEqual(expect.arrayContaining(['mb_cache_entry_get', 'mb_cache_entry_find_next']));
    // takes the cache, and nothing of an entry
    expect(exports).not.toContain('mb_cache_destroy');
  });

  test('near miss: a structure that no export takes', async () => {
    const { findings } = await patched({
      'fs/mbcache.c': [
        'void mb_cache_entry_touch(struct mb_cache *cache,',
        'struct livegraft { int x; };\n\nvoid mb_cache_entry_touch(struct mb_cache *cache,',
      ],
    });
    expect(findings.map(({ code }) => code)).not.toContain('export-changed');
  });

  test.each<[string, string, Edits]>([
    [
      'a table made by a program of the build',
      'generated-code-change',
      { 'include/linux/crc32poly.h': ['0xedb88320', '0xedb88321'] },
    ],
    [
      'numbers for assembly',
      'generated-code-change',
      { 'arch/x86/kvm/svm/svm.h': ['\tstruct vmcb *vmcb;\n', '\tu64 livegraft;\n\tstruct vmcb *vmcb;\n'] },
    ],
    [
      'the vDSO',
      'outside-running-kernel',
      { 'arch/x86/include/asm/vdso/gettimeofday.h': ['return __vdso_data;', 'return __vdso_data + 1;'] },
    ],
    ['code that does not compile', 'does-not-compile', { [vlan]: ['return -EINVAL;', 'return livegraft;'] }],
  ])('%s is refused: %s', async (_, code, edits) => {
    await expect(patched(edits)).rejects.toMatchObject({ code, exit: 4 });
  });

  test('what is dropped compiles to the same bytes, every unit', async () => {
    const header = 'fs/mount.h';
    const text = byteString(await readFile(join(k.paths.source, header)));
    const changed = text.replace('return ns->seq == 0;', 'return ns->seq == 1;');
    expect(changed).not.toBe(text);
    const files = new Map([[header, changed]]);
    const index = await readUnitIndex(k, { progress: silent });
    const graph = await readIncludeGraph(k.paths, join(k.dir, 'include-graph.json'));
    const { units } = candidatesOf(index, graph, [header], new Set(), k.paths.source);
    const dependences = await openDependences(k, join(dir, 'scratch'), files);
    const names = localChange(text, changed)!;
    const same: boolean[] = [];
    await withPatchedTree(k.paths.source, join(dir, 'scratch'), files, async (tree) => {
      for (const indexed of units) {
        const unit = sourceOf(indexed);
        const [before, after] = [
          await dependences.read(unit, 'code', undefined),
          await dependences.read(unit, 'code', tree),
        ];
        const request = { kernel: k, unit, variant: 'pair', cache: join(dir, 'objects') } as const;
        const [original, patched] = [await compileUnit(request), await compileUnit({ ...request, tree })];
        same.push(Buffer.compare(original.object, patched.object) === 0);
        expect([unit.source, before.digest === after.digest]).toEqual([unit.source, same.at(-1)]);
        // and so says the quicker way, which may take one more for a user
        if (!mayMention(before, names)) expect([unit.source, same.at(-1)]).toEqual([unit.source, true]);
      }
    });
    expect(names).toEqual(new Set(['is_anon_ns']));
    expect(new Set(same)).toEqual(new Set([true, false]));
  });

  test('aborted, it ends and leaves nothing', async () => {
    const abort = new AbortController();
    const scratch = join(dir, 'aborted');
    const patches = [
      parsePatch('p', bytesOf(sourcePatch(k, { 'fs/mount.h': ['return ns->seq == 0;', 'return ns->seq == 2;'] }))),
    ];
    const progress = {
      ...silent,
      step: <T>(title: string, work: (inner: typeof silent) => Promise<T>): Promise<T> => {
        if (title.startsWith('Find the units')) setTimeout(() => abort.abort(), 200);
        return work(silent);
      },
    };
    await expect(
      compilePatchedUnits({ kernel: k, patches, scratch, cache: join(dir, 'none'), progress, signal: abort.signal }),
    ).rejects.toThrow('aborted');
    expect(abort.signal.aborted).toBe(true);
    expect(await readdir(scratch)).toEqual([]);
  });
});
