/** The replayed commands against kbuild itself, on real units of a real kernel. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHF } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyPatches } from '../patch/apply.ts';
import { markLines } from '../patch/lines.ts';
import { parsePatch } from '../patch/parse.ts';
import { byteString, bytesOf, joinLines, splitLines } from '../patch/text.ts';
import { silent } from '../support/progress.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { compileSource, compileUnit, compileUnits } from './compile.ts';
import { isConfigured } from './configured.ts';
import { findUnit, findUnits } from './find-unit.ts';
import { runMake, withBuildTree } from './make.ts';
import { moduleCommand } from './module-command.ts';
import { compilePatchedUnits } from './objects.ts';
import { makePatchedTree } from './tree.ts';

const sources = ['fs/proc/meminfo.c', 'fs/proc/base.c', 'net/ipv4/tcp_input.c', 'fs/ext4/mballoc.c', 'mm/mmap.c'];

/** Names, bytes and relocations of all that is loaded, without section and symbol numbers. */
function loadable(object: Uint8Array): unknown[] {
  const elf = readElf(object);
  return elf.sections
    .filter((section) => (section.flags & SHF.ALLOC) !== 0)
    .map((section) => [
      section.name,
      section.size,
      Buffer.from(section.data).toString('hex'),
      section.relocations.map(({ offset, type, addend, symbol }) => {
        const target = elf.symbols[symbol]!;
        return [
          offset,
          type,
          addend,
          target.name || elf.sections[target.section]?.name,
          target.name ? '' : target.value,
        ];
      }),
    ]);
}

const blank = { text: '', newline: true };

let dir = '';
// its own folder for what is remembered of units, so that kbuild is really asked
const kernel = { ...(await testKernel()), dir: join(tmpdir(), `livegraft-case-${process.pid}`) };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-case-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
  await rm(kernel.dir, { recursive: true, force: true });
});

describe('kbuild', () => {
  const k = kernel;
  const cache = (): string => join(dir, 'objects');

  test.each(sources)('%s: the replayed object has the loadable bytes of kbuild’s own', async (source) => {
    const started = performance.now();
    const unit = await findUnit(k, source);
    const asked = performance.now();
    const kbuilds = await readFile(join(k.paths.build, source.replace(/\.c$/, '.o')));
    const again = performance.now();
    const proof = await compileUnit({ kernel: k, unit, variant: 'proof', cache: cache() });
    const replayed = performance.now();
    const warm = await compileUnit({ kernel: k, unit, variant: 'proof', cache: cache() });
    console.log(
      `${source}: make ${Math.round(asked - started)} ms, replay ${Math.round(replayed - again)} ms, cached ${Math.round(performance.now() - replayed)} ms`,
    );
    expect(loadable(proof.object)).toEqual(loadable(kbuilds));
    expect(proof.cached).toBe(false);
    expect(warm.cached).toBe(true);
    expect(Buffer.compare(warm.object, proof.object)).toBe(0);
    expect(await findUnit(k, source)).toEqual(unit);
  });

  test('klp objects are vmlinux and the module’s name', async () => {
    expect((await findUnit(k, 'mm/mmap.c')).klpObject).toBe('vmlinux');
    expect((await findUnit(k, 'fs/ext4/mballoc.c')).klpObject).toBe('ext4');
  });

  test.each(sources)(
    '%s: through a patched tree without changes the object is the same, byte for byte',
    async (source) => {
      const unit = await findUnit(k, source);
      const root = await mkdtemp(join(dir, 'tree-'));
      const text = byteString(await readFile(join(k.paths.source, source)));
      const tree = await makePatchedTree(k.paths.source, root, new Map([[source, text]]));
      const direct = await compileUnit({ kernel: k, unit, variant: 'pair', cache: cache() });
      const farm = await compileUnit({ kernel: k, unit, variant: 'pair', tree, cache: join(dir, 'other-objects') });
      expect(farm.cached).toBe(false);
      expect(Buffer.compare(farm.object, direct.object)).toBe(0);
      // and the cache knows that it is the same
      expect((await compileUnit({ kernel: k, unit, variant: 'pair', tree, cache: cache() })).cached).toBe(true);
    },
  );

  test.each(sources)('%s: lines added at the top change no loadable byte, thanks to #line', async (source) => {
    const unit = await findUnit(k, source);
    const text = byteString(await readFile(join(k.paths.source, source)));
    const lines = text.split('\n');
    const patch = [
      `--- a/${source}`,
      `+++ b/${source}`,
      '@@ -1,3 +1,5 @@',
      ` ${lines[0]}`,
      '+/* one',
      '+ * two */',
      ` ${lines[1]}`,
      ` ${lines[2]}`,
      '',
    ].join('\n');
    // the second line may be inside a comment: then the change goes on the first line
    const inComment = !text.slice(0, text.indexOf('\n')).includes('*/') && !lines[0]!.startsWith('//');
    const fixed = inComment ? patch.replace('+/* one', '+ one').replace('+ * two */', '+ two') : patch;
    const applied = await applyPatches({
      patches: [parsePatch('shift.patch', bytesOf(fixed))],
      source: k.paths.source,
      paths: new Set([source]),
      scratch: dir,
    });
    const file = applied.files.get(source)!;
    expect(file.marked).not.toBe(file.patched);
    const compile = async (body: string) => {
      const tree = await makePatchedTree(k.paths.source, await mkdtemp(join(dir, 'tree-')), new Map([[source, body]]));
      return compileUnit({ kernel: k, unit, variant: 'pair', tree, cache: cache() });
    };
    const original = await compileUnit({ kernel: k, unit, variant: 'pair', cache: cache() });
    expect(loadable((await compile(file.marked)).object)).toEqual(loadable(original.object));
    if (source === 'mm/mmap.c')
      expect(loadable((await compile(file.patched)).object)).not.toEqual(loadable(original.object));
  });

  test.each(['mm/mmap.c', 'fs/namei.c', 'kernel/sched/core.c'])(
    '%s: marks at every function change nothing',
    async (source) => {
      const unit = await findUnit(k, source);
      const lines = splitLines(byteString(await readFile(join(k.paths.source, source))));
      const wider = lines.flatMap((line, i) =>
        line.text === '}'
          ? [
              { line, origin: i + 1 },
              { line: blank, origin: undefined },
            ]
          : [{ line, origin: i + 1 }],
      );
      const marked = markLines(
        wider.map(({ line }) => line),
        wider.map(({ origin }) => origin),
      );
      expect(marked.length - wider.length).toBeGreaterThan(50);
      const tree = await makePatchedTree(
        k.paths.source,
        await mkdtemp(join(dir, 'tree-')),
        new Map([[source, joinLines(marked)]]),
      );
      const original = await compileUnit({ kernel: k, unit, variant: 'pair', cache: cache() });
      const shifted = await compileUnit({ kernel: k, unit, variant: 'pair', tree, cache: cache() });
      expect(loadable(shifted.object)).toEqual(loadable(original.object));
    },
  );

  test('a unit that the configuration leaves out is refused', async () => {
    expect(await isConfigured(k, 'kernel/locking/rwsem.c')).toBe(true);
    expect(await isConfigured(k, 'kernel/locking/spinlock_rt.c')).toBe(false);
    await expect(findUnit(k, 'kernel/locking/spinlock_rt.c')).rejects.toMatchObject({ code: 'unit-disabled', exit: 4 });
    const found = await findUnits(k, ['kernel/locking/spinlock_rt.c'], []);
    expect(found.units).toEqual([]);
    expect(found.findings[0]?.code).toBe('includer-disabled');
  });

  test('a file that does not compile is refused with the compiler’s words', async () => {
    const source = 'fs/proc/cmdline.c';
    const unit = await findUnit(k, source);
    const tree = await makePatchedTree(
      k.paths.source,
      await mkdtemp(join(dir, 'tree-')),
      new Map([[source, 'int f(void) { return x; }\n']]),
    );
    await expect(compileUnit({ kernel: k, unit, variant: 'pair', tree, cache: cache() })).rejects.toMatchObject({
      code: 'does-not-compile',
      message: expect.stringContaining("\nfs/proc/cmdline.c:1:22: error: 'x' undeclared"),
    });
  });

  test('an old copy of a patched file that is read all the same is noticed', async () => {
    const source = 'fs/proc/cmdline.c';
    const unit = await findUnit(k, source);
    const files = new Map([
      [source, `#include "${k.paths.source}/fs/proc/internal.h"\n`],
      ['fs/proc/internal.h', ''],
    ]);
    const tree = await makePatchedTree(k.paths.source, await mkdtemp(join(dir, 'tree-')), files);
    await expect(compileUnit({ kernel: k, unit, variant: 'pair', tree, cache: cache() })).rejects.toMatchObject({
      code: 'overlay-leaks',
    });
  });

  test('an aborted compilation ends at once and leaves nothing', async () => {
    const unit = await findUnit(k, 'fs/ext4/mballoc.c');
    const folder = join(dir, 'aborted');
    const abort = new AbortController();
    const work = compileUnits([
      { kernel: k, unit, variant: 'proof', cache: folder, signal: abort.signal },
      { kernel: k, unit, variant: 'pair', cache: folder, signal: abort.signal },
    ]);
    while ((existsSync(folder) ? await readdir(folder) : []).length < 2)
      await new Promise((wake) => setTimeout(wake, 5));
    await new Promise((wake) => setTimeout(wake, 300));
    abort.abort();
    await expect(work).rejects.toThrow();
    expect(await readdir(folder)).toEqual([]);
  });

  test('from a patch to objects: the changed function differs, a unit changed only in its comments does not', async () => {
    const meminfo = byteString(await readFile(join(k.paths.source, 'fs/proc/meminfo.c'))).split('\n');
    const at = meminfo.findIndex((line) => line.includes('"MemTotal:'));
    const hunk = (path: string, lines: readonly string[], i: number, add: readonly string[], remove: number): string =>
      [
        `--- a/${path}`,
        `+++ b/${path}`,
        `@@ -${i - 2},${6 + remove} +${i - 2},${6 + add.length} @@`,
        ...lines.slice(i - 3, i).map((line) => ` ${line}`),
        ...lines.slice(i, i + remove).map((line) => `-${line}`),
        ...add.map((line) => `+${line}`),
        ...lines.slice(i + remove, i + remove + 3).map((line) => ` ${line}`),
        '',
      ].join('\n');
    const mmap = byteString(await readFile(join(k.paths.source, 'mm/mmap.c'))).split('\n');
    const include = mmap.findIndex((line) => line.startsWith('#include')) + 3;
    const text =
      hunk('fs/proc/meminfo.c', meminfo, at, [meminfo[at]!.replace('MemTotal', 'MEMTOTAL')], 1) +
      hunk('mm/mmap.c', mmap, include, ['/* a remark', ' */'], 0);
    const scratch = join(dir, 'scratch');
    const request = { kernel: k, patches: [parsePatch('p', bytesOf(text))], scratch, cache: cache(), progress: silent };
    const { units, findings } = await compilePatchedUnits(request);
    expect(findings).toEqual([]);
    expect(units.map(({ unit }) => unit.source)).toEqual(['fs/proc/meminfo.c', 'mm/mmap.c']);
    expect(loadable(units[0]!.patched)).not.toEqual(loadable(units[0]!.original));
    expect(byteString(units[0]!.patched)).toContain('MEMTOTAL:');
    expect(loadable(units[1]!.patched)).toEqual(loadable(units[1]!.original));
    expect(await readdir(scratch)).toEqual([]);
  });

  test('code of a new module compiles as kbuild does it', async () => {
    const command = await moduleCommand(k, 'livegraft_fix', 'glue');
    expect(command.compile).toContain('-DMODULE');
    expect(command.compile).toContain('-DKBUILD_MODNAME="livegraft_fix"');
    expect(command.compile).toContain('-DKBUILD_BASENAME="glue"');
    const folder = join(dir, 'module');
    await mkdir(folder);
    const text =
      '#include <linux/module.h>\nstatic int __init f(void) { pr_info("x\\n"); return 0; }\nmodule_init(f);\nMODULE_LICENSE("GPL");\n';
    for (const name of ['Kbuild', 'livegraft_fix.c']) {
      await writeFile(join(folder, name), name === 'Kbuild' ? 'obj-m := livegraft_fix.o\n' : text);
    }
    const made = await withBuildTree(k, undefined, () => runMake(k, [`M=${folder}`, 'livegraft_fix.o']));
    expect(made.exitCode).toBe(0);
    const own = await moduleCommand(k, 'livegraft_fix', 'livegraft_fix');
    const replay = await compileSource({
      kernel: k,
      name: 'glue.c',
      command: own,
      input: join(folder, 'livegraft_fix.c'),
      flags: ['-g0'],
      cache: cache(),
    });
    expect(loadable(replay.object)).toEqual(loadable(await readFile(join(folder, 'livegraft_fix.o'))));
  });
});
