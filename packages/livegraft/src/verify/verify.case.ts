/** Real modules, built by the program, are found right; the same modules with one thing wrong are found wrong, whichever thing it is. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../build/build.ts';
import type { Manifest } from '../bundle/manifest.ts';
import { compilePatchedUnits } from '../kbuild/objects.ts';
import { type KernelImage, readImage } from '../kernel/image.ts';
import { readBuiltins, readModule, readModuleIndex, resolveModules } from '../kernel/modules.ts';
import { parsePatch } from '../patch/parse.ts';
import { silent } from '../support/progress.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { readExample } from '../trial/example.ts';
import { bodyOf, inFunction, news, wrong, wrongWithIbt } from './testing/edits.ts';
import { KoEditor } from './testing/ko-editor.ts';
import { type Verification, type VerifyInput, verifyModule } from './verify.ts';

const examples = fileURLToPath(new URL('../../../../examples', import.meta.url));
const kernel = await testKernel();
const usesIbt = /^CONFIG_X86_KERNEL_IBT=y$/m.test(readFileSync(kernel.paths.config, 'utf8'));
const dir = mkdtempSync(join(tmpdir(), 'livegraft-verify-'));
let image: KernelImage;
let input: VerifyInput;
let manifest: Manifest;

const filldir = `static bool filldir64(struct dir_context *ctx, const char *name, int namlen,
		     loff_t offset, u64 ino, unsigned int d_type)
{`;
const refill = `	if (pfrag->page) {
		if (page_ref_count(pfrag->page) == 1) {
			pfrag->offset = 0;`;
/** Exception entries, alternatives, a static branch, a BUG entry, new functions and data in vmlinux; a pr_debug() in a module. */
const patch = (): string =>
  sourcePatch(kernel, {
    'fs/readdir.c': [
      filldir,
      `static unsigned long livegraft_entries = 3;
static const int livegraft_limits[] = { 11, 22, 33, 44 };

static noinline int livegraft_kind(unsigned int kind)
{
	if (kind > 100)
		pr_info("livegraft: kind %u of %lu\\n", kind, livegraft_entries);
	return livegraft_limits[kind & 3];
}
static int livegraft_double(unsigned int kind)
{
	return 2 * kind;
}
static int (*const livegraft_kinds[])(unsigned int) = { livegraft_kind, livegraft_double };

${filldir}
	int __maybe_unused seen = ++livegraft_entries > 5 ? livegraft_kind(d_type) : livegraft_kinds[d_type & 1](d_type);`,
    ],
    'net/core/sock.c': [refill, `	WARN_ON_ONCE(sz > (1 << 30));\n${refill}`],
    'fs/ext4/mballoc.c': [
      'mb_debug(sb, "load group %u\\n", group);',
      'pr_debug("livegraft: load group %u\\n", group);',
    ],
  });

async function prepare(name: string, text: string): Promise<{ input: VerifyInput; manifest: Manifest }> {
  const patches = [{ name: `${name}.patch`, bytes: Buffer.from(text, 'latin1') }];
  const bundle = await build({ patches, kernel, out: dir, name, replace: false, progress: silent });
  const parsed = patches.map((each) => parsePatch(each.name, each.bytes));
  const { units } = await compilePatchedUnits({ kernel, patches: parsed, scratch: dir, progress: silent });
  const modules = new Map<string, Uint8Array>();
  const targets = bundle.manifest.targets.map(({ object }) => object).filter((object) => object !== 'vmlinux');
  for (const module of resolveModules(kernel.name, await readModuleIndex(kernel), await readBuiltins(kernel), targets))
    modules.set(module.name, await readModule(kernel, module.name));
  return {
    manifest: bundle.manifest,
    input: {
      module: readFileSync(join(bundle.path, `${name}.ko`)),
      image,
      modules,
      vermagic: kernel.facts.vermagic,
      functions: bundle.manifest.functions,
      units: units.map(({ unit, ...objects }) => ({ source: unit.source, object: unit.klpObject, ...objects })),
    },
  };
}

beforeAll(async () => {
  image = await readImage(kernel);
  ({ input, manifest } = await prepare('livegraft_verify', patch()));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function mutated(change: (ko: KoEditor) => void, of: VerifyInput = input): Verification {
  const ko = new KoEditor(of.module);
  change(ko);
  expect(Buffer.compare(ko.bytes, of.module), 'the edit changes something').not.toBe(0);
  return verifyModule({ ...of, module: ko.bytes });
}

const errors = (verification: Verification): string[] =>
  verification.problems
    .filter(({ severity }) => severity === 'error')
    .map(({ code, message }) => `${code}: ${message}`);

describe('a module as it was built', () => {
  test('is right, and the manifest says how much was compared', () => {
    const started = performance.now();
    const verification = verifyModule(input);
    console.log(`verifyModule: ${Math.round(performance.now() - started)} ms`);
    expect(errors(verification)).toEqual([]);
    expect(manifest.verified).toMatchObject({ functions: input.functions.length, undecided: 0 });
    expect(manifest.verified!.references).toBeGreaterThan(100);
  });

  test('a function of a section that others share (.sched.text) is right', async () => {
    const text = sourcePatch(kernel, {
      'kernel/time/hrtimer.c': [
        '\tstruct restart_block *restart;\n\n\tdo {\n',
        '\tstruct restart_block *restart;\n\n\tpr_info_once("test: do_nanosleep\\n");\n\tdo {\n',
      ],
    });
    const { input: example } = await prepare('livegraft_sched', text);
    expect(verifyModule(example).problems).toEqual([]);
  });

  test.each(['proc-meminfo', 'same-name', 'late-module'])('examples/%s is right', async (name) => {
    const text = Buffer.from((await readExample(examples, name, kernel.release)).patch.bytes).toString('latin1');
    const { input: example, manifest: its } = await prepare(`livegraft_${name.replaceAll('-', '_')}`, text);
    expect(verifyModule(example).problems).toEqual([]);
    expect(its.verified!.functions).toBe(its.functions.length);
  });
});

describe('a module with one thing wrong', () => {
  test.each(Object.entries(wrong))('%s', (_, [change, expected]) => {
    expect(errors(mutated(change)).join('\n')).toMatch(expected);
  });

  test.skipIf(!usesIbt).each(Object.entries(wrongWithIbt))('%s', (_, [change, expected]) => {
    expect(errors(mutated(change)).join('\n')).toMatch(expected);
  });

  test('a replaced function without ftrace entry', () => {
    const name = image.symbols.all.find(
      (symbol) =>
        symbol.name.length === 'filldir64'.length &&
        symbol.type.toLowerCase() === 't' &&
        image.symbols.named(symbol.name).length === 1 &&
        image.ftraceEntry(symbol.address) === undefined,
    )!.name;
    const functions = input.functions.map((each) => (each.name === 'filldir64' ? { ...each, name } : each));
    const found = mutated((ko) => ko.replace('filldir64', name), { ...input, functions });
    expect(errors(found).join('\n')).toMatch(/module-not-loadable: .*no ftrace entry/);
  });

  test('a position of several, one too many', async ({ skip }) => {
    const text = Buffer.from((await readExample(examples, 'same-name', kernel.release)).patch.bytes).toString('latin1');
    const { input: example } = await prepare('livegraft_same_name', text);
    const taken = example.functions.map((each) => each.sympos);
    const other = image.symbols
      .named('s_show')
      .findIndex(({ address }, i) => !taken.includes(i + 1) && image.ftraceEntry(address) !== undefined);
    if (other < 0) skip('this kernel has no more s_show() that can be replaced');
    const functions = example.functions.map((each, i) => (i === 0 ? { ...each, sympos: other + 1 } : each));
    const found = mutated(
      (ko) => {
        const [func] = ko.entries('.rela.data').filter(({ symbol }) => symbol === 's_show');
        ko.bump('.data', func!.offset + 8, other + 1 - taken[0]!);
      },
      { ...example, functions },
    );
    expect(errors(found).join('\n')).toMatch(/module-wrong: .*klp_func/);
  });

  test('a function that changed and is not replaced', () => {
    // the object says that a function which new code calls has other code than before
    const units = input.units.map((unit) => {
      if (unit.source !== 'fs/readdir.c') return unit;
      const object = new KoEditor(unit.patched);
      const { section, offset } = object.symbol('verify_dirent_name');
      object.bump(section, offset + 20);
      return { ...unit, patched: object.bytes };
    });
    const found = verifyModule({ ...input, units });
    expect(errors(found).join('\n')).toMatch(/changed verify_dirent_name; the running kernel has the old one/);
  });

  test('a function that changed, and that nobody calls from new code', () => {
    const units = input.units.map((unit) => {
      if (unit.source !== 'net/core/sock.c') return unit;
      const object = new KoEditor(unit.patched);
      const { section } = object.symbol('sock_no_bind');
      object.bump(section, bodyOf(object, 'sock_no_bind'));
      return { ...unit, patched: object.bytes };
    });
    const found = verifyModule({ ...input, units });
    expect(errors(found).join('\n')).toMatch(/module-wrong: .*sock_no_bind.*nothing in its place/);
  });

  test('any relocation of new code, its addend changed', () => {
    const missed: string[] = [];
    const plain = new KoEditor(input.module);
    for (const table of ['.rela.text', '.klp.rela.vmlinux..text', '.klp.rela.ext4..text']) {
      const all = plain.entries(table).filter((entry) => news.some((name) => inFunction(plain, name)(entry)));
      for (const [i, entry] of all.entries()) {
        const found = errors(mutated((ko) => ko.addend(entry, i % 2 === 0 ? 1 : 64)));
        if (found.length === 0) missed.push(`${table} ${entry.symbol} at ${entry.offset}`);
      }
    }
    expect(missed).toEqual([]);
  });

  test('any relocation of new code, what it refers to', () => {
    const missed: string[] = [];
    const plain = new KoEditor(input.module);
    for (const table of ['.rela.text', '.klp.rela.vmlinux..text', '.klp.rela.ext4..text']) {
      const all = plain.entries(table).filter(({ symbol }) => symbol !== '__fentry__');
      const own = all.filter((entry) => news.some((name) => inFunction(plain, name)(entry)));
      for (const [i, entry] of own.entries()) {
        const other = [...own.slice(i + 1), ...own].find(({ symbol }) => symbol !== entry.symbol);
        if (other === undefined) continue;
        if (errors(mutated((ko) => ko.redirect(entry, other))).length === 0)
          missed.push(`${table} ${entry.symbol} at ${entry.offset}: ${other.symbol}`);
      }
    }
    expect(missed).toEqual([]);
  });

  test('any byte of new code', () => {
    const plain = new KoEditor(input.module);
    const missed: number[] = [];
    for (const name of ['filldir64', 'livegraft_kind']) {
      const { offset, size } = plain.symbol(name);
      for (let at = offset; at < offset + size; at += 5) {
        if (errors(mutated((ko) => ko.bump('.text', at))).length === 0) missed.push(at);
      }
    }
    expect(missed).toEqual([]);
  });
});
