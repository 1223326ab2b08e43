/** Bad input through the command line: one clear message, the right exit code, nothing left behind. */
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makePatchedTree } from '../kbuild/tree.ts';
import { cacheDir, kernelDir } from '../kernel/places.ts';
import { compileProgram, livegraft, type Ran, type RunSettings } from '../testing/program.ts';
import { type Edits, privateMounts, sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';

const kernel = await testKernel();
const cmdline = 'fs/proc/cmdline.c';
const good: Edits = { [cmdline]: ["seq_putc(m, '\\n');", 'seq_puts(m, " livegraft\\n");'] };

let dir = '';
let out = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-bad-input-'));
  out = join(dir, 'out');
  await compileProgram();
});
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(() => rm(out, { recursive: true, force: true }));

async function build(content: string | Uint8Array, settings: RunSettings = {}, ...more: string[]): Promise<Ran> {
  const patch = join(dir, 'input.patch');
  await writeFile(patch, content, 'latin1');
  return livegraft(['build', patch, '--kernel', kernel.name, '-o', out, '--quiet', ...more], settings);
}

/** Nothing but the message: no result, no output folder, no unfinished work, no process. */
async function expectRefused(ran: Ran, exit: number, ...words: (string | RegExp)[]): Promise<void> {
  // as it is, or as one line: where it breaks depends on the length of paths
  const line = ran.stderr.replace(/\s+/g, ' ');
  for (const word of words) expect(`${ran.stderr}\n${line}`).toMatch(word);
  expect({ ...ran, stderr: '' }).toEqual({ exit, stdout: '', stderr: '', processes: [], files: [] });
  expect(await readdir(out).catch(() => [])).toEqual([]);
}

describe('a patch that cannot become a livepatch', () => {
  const cases: readonly [what: string, exit: number, edits: Edits, ...words: (string | RegExp)[]][] = [
    [
      'comments only',
      3,
      { [cmdline]: ['#include <linux/fs.h>', '/* one\n * two */\n#include <linux/fs.h>'] },
      /nothing-to-replace/,
      /changes no code/,
    ],
    [
      'documentation only',
      3,
      { 'Documentation/admin-guide/README.rst': ['Linux', 'linux'] },
      /nothing-to-patch/,
      /README\.rst is left out: it is documentation/,
    ],
    [
      'assembly',
      4,
      { 'arch/x86/lib/memcpy_64.S': ['rep movsb', 'rep movsb\n\tnop'] },
      /assembly-change.* arch\/x86\/lib\/memcpy_64\.S/,
    ],
    [
      'the vDSO',
      4,
      { 'arch/x86/entry/vdso/vclock_gettime.c': ['return __cvdso_time(t);', 'return 0;'] },
      /outside-running-kernel/,
      /vDSO, which runs in user space/,
    ],
    [
      'a header',
      4,
      { 'include/linux/seq_file.h': ['#define _LINUX_SEQ_FILE_H', '#define _LINUX_SEQ_FILE_H\n#define A 1'] },
      /header-change/,
      /headers are not supported yet/,
    ],
    ['a Makefile', 4, { 'fs/proc/Makefile': ['proc-y', 'proc-y += a.o\nproc-y'] }, /build-system-change/],
    [
      '__init code',
      4,
      { [cmdline]: ['proc_create_single("cmdline"', 'proc_create_single("other"'] },
      /init-changed.* fs\/proc\/cmdline\.c: proc_cmdline_init/,
    ],
    [
      'an initial value',
      4,
      { 'mm/vmscan.c': ['int vm_swappiness = 60;', 'int vm_swappiness = 61;'] },
      /data-changed.* mm\/vmscan\.c: vm_swappiness/,
      /3c000000 becomes 3d000000/,
    ],
    [
      'code that does not compile',
      4,
      { [cmdline]: ["seq_putc(m, '\\n');", 'seq_putc(m);'] },
      /does-not-compile/,
      /fs\/proc\/cmdline\.c:10:\d+: error: too few arguments/,
    ],
    [
      'a notrace function',
      4,
      {
        'kernel/watchdog.c': ['	wq_watchdog_touch(raw_smp_processor_id());', '	barrier();\n	wq_watchdog_touch(0);'],
      },
      /no-ftrace-entry.* kernel\/watchdog\.c: touch_softlockup_watchdog/,
      /has no ftrace entry/,
    ],
    [
      'a noinstr function',
      4,
      {
        'kernel/entry/common.c': [
          'noinstr void irqentry_enter_from_user_mode(struct pt_regs *regs)\n{',
          'noinstr void irqentry_enter_from_user_mode(struct pt_regs *regs)\n{\n	regs->ax++;',
        ],
      },
      /no-ftrace-entry.* irqentry_enter_from_user_mode/,
    ],
    [
      'a file built without -pg',
      4,
      {
        'arch/x86/kernel/tsc.c': [
          'unsigned long native_calibrate_tsc(void)\n{',
          'unsigned long native_calibrate_tsc(void)\n{\n	tsc_khz++;',
        ],
      },
      /no-ftrace-entry.* native_calibrate_tsc/,
    ],
  ];
  test.each(cases)('%s: %i', async (_what, exit, edits, ...words) => {
    await expectRefused(await build(sourcePatch(kernel, edits)), exit, ...words);
  });

  test('several reasons are told at once', async () => {
    const edits = {
      ...good,
      'arch/x86/lib/memcpy_64.S': ['rep movsb', 'nop'],
      'include/linux/seq_file.h': ['_H', '_H '],
    } as const;
    await expectRefused(await build(sourcePatch(kernel, edits)), 4, /assembly-change/, /header-change/);
  });
});

describe('a patch that does not fit', () => {
  test('the hunk, what it expects, what stands there', async () => {
    const text = sourcePatch(kernel, good).replace('saved_command_line', 'other_command_line');
    const ran = await build(text);
    await expectRefused(
      ran,
      4,
      /hunk-fails.*input\.patch:8/,
      /Hunk 1 of fs\/proc\/cmdline\.c does not apply: at fs\/proc\/cmdline\.c:9/,
    );
    expect(ran.stderr).toMatch(/the patch expects.*other_command_line/);
    expect(ran.stderr).toMatch(/the source has.*saved_command_line/);
  });

  test('already applied', async () => {
    const [before, after] = good[cmdline]!;
    const text = sourcePatch(kernel, good)
      .split('\n')
      .map((line) => (line === `-\t${before}` ? `-\t${after}` : line === `+\t${after}` ? `+\t${before}` : line))
      .join('\n');
    await expectRefused(
      await build(text),
      4,
      /hunk-already-applied/,
      /is in this kernel already, at fs\/proc\/cmdline\.c/,
    );
  });

  test('a file that does not exist', async () => {
    await expectRefused(
      await build(sourcePatch(kernel, good).replaceAll('cmdline.c', 'cmdlime.c')),
      4,
      /patch-file-missing/,
    );
  });

  test('a path that leads out of the tree', async () => {
    await expectRefused(
      await build(sourcePatch(kernel, good).replace('+++ b/fs', '+++ b/../fs')),
      4,
      /patch-path/,
      /leaves the source tree/,
    );
  });
});

describe('a patch that is none', () => {
  const cases: readonly [string, () => string | Uint8Array, RegExp][] = [
    ['empty', () => '', /patch-empty/],
    ['text', () => 'hello\n', /patch-empty/],
    ['random bytes', () => randomBytes(20_000), /patch-empty/],
    ['50 MB of random bytes', () => randomBytes(50 << 20), /patch-empty|patch-malformed/],
    ['50 MB of lines', () => sourcePatch(kernel, good) + '+line\n'.repeat(9 << 20), /patch-malformed/],
    ['more than 64 MiB', () => new Uint8Array(65 << 20), /patch-unreadable.*\n.*the limit is 67108864/],
    ['cut off', () => sourcePatch(kernel, good).slice(0, -40), /patch-malformed/],
  ];
  test.each(cases)('%s: 4', async (_what, make, word) => {
    await expectRefused(await build(make()), 4, word);
  });

  test('a folder; no file', async () => {
    const on = (path: string) => livegraft(['build', path, '--kernel', kernel.name, '-o', out, '--quiet']);
    await expectRefused(await on(dir), 4, /patch-unreadable.*\n.*it is a folder/);
    await expectRefused(await on(join(dir, 'none')), 4, /patch-unreadable.*\n.*no such file/);
  });

  test('lines that end in CR LF are read as lines', async () => {
    const ran = await build(sourcePatch(kernel, good).replaceAll('\n', '\r\n'));
    expect({ ...ran, stdout: '' }).toEqual({ exit: 0, stdout: '', stderr: '', processes: [], files: [] });
    expect(await readdir(out)).toEqual(['livegraft_input']);
  });
});

describe('the kernel', () => {
  test('one that is not here is 4 and names those that are', async () => {
    const ran = await livegraft(['build', join(dir, 'x.patch'), '--kernel', '6.1.0-0-amd64']);
    await expectRefused(ran, 4, /patch-unreadable/);
    await writeFile(join(dir, 'x.patch'), sourcePatch(kernel, good));
    const absent = await livegraft(['build', join(dir, 'x.patch'), '--kernel', '6.1.0-0-amd64']);
    await expectRefused(absent, 4, /kernel-not-here/, kernel.name, /livegraft kernel fetch 6\.1\.0-0-amd64/);
  });

  test('one that the archive does not have is 4 and names the nearest', async () => {
    await expectRefused(
      await livegraft(['kernel', 'fetch', '6.1.0-0-amd64', '--quiet']),
      4,
      /kernel-unknown/,
      /the nearest: 6\.1\.0-/,
    );
  });

  test('one whose name leads elsewhere is 2', async () => {
    await expectRefused(await livegraft(['kernel', 'show', '../../etc']), 2, /kernel-name-invalid/);
  });
});

describe('the compiler', () => {
  async function fake(version: string): Promise<string> {
    const bin = join(dir, 'bin');
    const [name] = kernel.facts.compiler.split(' ');
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, name!), `#!/bin/sh\necho '${version}'\n`);
    await chmod(join(bin, name!), 0o755);
    return bin;
  }

  test('of another version is 5: which it is and which the kernel needs', async () => {
    const version = 'gcc-12 (Debian 12.2.0-13) 12.2.0';
    const ran = await build(sourcePatch(kernel, good), {
      env: { PATH: `${await fake(version)}:${process.env['PATH']}` },
    });
    await expectRefused(ran, 5, /compiler-differs/);
    const said = ran.stderr.replace(/\s+/g, ' ');
    expect(said).toContain(version);
    expect(said).toContain(kernel.facts.compiler);
    expect(said).toMatch(/apt-get install gcc/);
  });

  test('that is missing is 5', async () => {
    const bin = join(dir, 'few');
    await mkdir(bin);
    for (const name of ['flock', 'sh', 'cat', 'make', 'git']) await symlink(`/usr/bin/${name}`, join(bin, name));
    const ran = await build(sourcePatch(kernel, good), { env: { PATH: bin } });
    await expectRefused(ran, 5, /compiler-missing/, /is not installed/);
  });
});

describe('parts that do not belong together', () => {
  test('a source that the kernel was not built from is 5: the function and the first byte', async (context) => {
    const changed = join(dir, 'cmdline.c');
    const original = await readFile(join(kernel.paths.source, cmdline), 'latin1');
    // in the function that the patch replaces, but not where the patch has its context
    await writeFile(
      changed,
      original.replace('seq_puts(m, saved_command_line);', 'seq_puts(m, saved_command_line + 1);'),
    );
    const mounts = privateMounts(`mount --bind '${changed}' '${join(kernel.paths.source, cmdline)}'`);
    if (mounts === undefined) return context.skip('needs mounts of its own');
    const text = sourcePatch(kernel, good).replace('saved_command_line', 'saved_command_line + 1');
    const ran = await build(text, { within: mounts });
    await expectRefused(ran, 5, /code-differs.* fs\/proc\/cmdline\.c: cmdline_proc_show/);
    expect(ran.stderr.replace(/\s+/g, ' ')).toMatch(/at cmdline_proc_show\+0x[0-9a-f]+ the rebuilt code has [0-9a-f]+/);
  });

  test('the wrong source, given to `kernel add`, is found when the first patch is built', async () => {
    const cache = join(dir, 'cache');
    const source = join(dir, 'source');
    const original = await readFile(join(kernel.paths.source, cmdline), 'latin1');
    await mkdir(source);
    const version = await readFile(join(kernel.paths.source, 'fs/proc/version.c'), 'latin1');
    const files = new Map([
      [cmdline, original.replace("'\\n'", "'\\t'")],
      ['fs/proc/version.c', version],
    ]);
    await makePatchedTree(kernel.paths.source, source, files);
    const env = { XDG_CACHE_HOME: cache };
    const { vmlinuz, config, symvers } = kernel.paths;
    const parts = ['--vmlinuz', vmlinuz, '--config', config, '--symvers', symvers, '--source', source];
    const added = await livegraft(['kernel', 'add', 'mine', ...parts, '--quiet'], { env });
    expect(added).toMatchObject({ exit: 0, stderr: '', processes: [] });
    const patch = join(dir, 'mine.patch');
    await writeFile(patch, sourcePatch(kernel, good).replace("'\\n'", "'\\t'"));
    const ran = await livegraft(['build', patch, '--kernel', 'mine', '-o', out, '--quiet'], { env });
    await expectRefused(ran, 5, /code-differs.* cmdline_proc_show/);
    // and a file that is as it was shipped builds
    await writeFile(
      patch,
      sourcePatch(kernel, { 'fs/proc/version.c': ['return 0;', 'seq_puts(m, "x\\n");\n	return 0;'] }),
    );
    expect(await livegraft(['build', patch, '--kernel', 'mine', '-o', out, '--quiet'], { env })).toMatchObject({
      exit: 0,
    });
  });

  test('a corrupt vmlinuz is 4, and nothing of the kernel stays', async () => {
    const cache = join(dir, 'cache-corrupt');
    const bytes = await readFile(kernel.paths.vmlinuz);
    const { config, symvers, source } = kernel.paths;
    const add = async (content: Uint8Array): Promise<Ran> => {
      await writeFile(join(dir, 'vmlinuz'), content);
      const files = ['--vmlinuz', join(dir, 'vmlinuz'), '--config', config, '--symvers', symvers, '--source', source];
      return livegraft(['kernel', 'add', 'bad', ...files, '--quiet'], { env: { XDG_CACHE_HOME: cache } });
    };
    const broken = Uint8Array.from(bytes);
    broken.fill(0x55, bytes.length >> 1, (bytes.length >> 1) + 64);
    for (const content of [new Uint8Array(0), bytes.subarray(0, bytes.length >> 1), broken, randomBytes(1 << 20)]) {
      await expectRefused(await add(content), 4, /image-corrupt.*vmlinuz/, /cannot be read/);
      expect(await readdir(join(cache, 'livegraft/kernels'))).toEqual([]);
    }
  });

  test('a corrupt module is 4 and named', async (context) => {
    const index = JSON.parse(await readFile(join(kernelDir(kernel.name), 'modules.json'), 'utf8')) as unknown;
    const text = JSON.stringify(index);
    const path = /"path":"([^"]*\/pktgen\.ko[^"]*)"/.exec(text)?.[1];
    if (path === undefined) return context.skip('this kernel has no module pktgen');
    const shipped = join(kernel.paths.modules!, path);
    const broken = await readFile(shipped);
    broken.fill(0, 0, 4096);
    await writeFile(join(dir, 'broken.ko'), broken);
    const mounts = privateMounts(`mount --bind '${join(dir, 'broken.ko')}' '${shipped}'`);
    if (mounts === undefined) return context.skip('needs mounts of its own');
    const text2 = sourcePatch(kernel, { 'net/core/pktgen.c': ['seq_puts(seq, version);', 'seq_puts(seq, "x");'] });
    await expectRefused(await build(text2, { within: mounts }), 4, /module-corrupt.*pktgen/);
  });
});

describe('the disk', () => {
  const full = (folder: string, limits: string): string[] | undefined =>
    privateMounts(`mkdir -p '${folder}'; mount -t tmpfs -o ${limits} tmpfs '${folder}'`);

  test.for(['scratch', 'objects'])('full in the cache (%s): 1, and nothing stays there', async (part, context) => {
    const folder = join(cacheDir(), part);
    const mounts = full(folder, 'nr_inodes=4');
    if (mounts === undefined) return context.skip('needs mounts of its own');
    const edits: Edits = { [cmdline]: ["seq_putc(m, '\\n');", `seq_puts(m, " full ${process.pid} ${part}\\n");`] };
    const within = [
      ...mounts.slice(0, -2),
      `${mounts.at(-2)!.replace('exec "$@"', '')} "$@" || code=$?; ls -A '${folder}' | grep tmp >&2; exit $code`,
      'sh',
    ];
    await expectRefused(
      await build(sourcePatch(kernel, edits), { within }),
      1,
      /disk-full/,
      /No space left on the disk that holds/,
    );
  });

  test('full where the bundle goes: 1, and nothing stays there', async (context) => {
    const mounts = full(out, 'size=12k');
    if (mounts === undefined) return context.skip('needs mounts of its own');
    const within = [
      ...mounts.slice(0, -2),
      `${mounts.at(-2)!.replace('exec "$@"', '')} "$@" || code=$?; ls -A '${out}' >&2; exit $code`,
      'sh',
    ];
    const ran = await build(sourcePatch(kernel, good), { within });
    await expectRefused(ran, 1, /disk-full/, /-o for bundles/);
    expect(ran.stderr).not.toMatch(/livegraft_input/);
  });

  test('read-only where the bundle goes: 1', async (context) => {
    const mounts = privateMounts(`mkdir -p '${out}'; mount -t tmpfs -o ro tmpfs '${out}'`);
    if (mounts === undefined) return context.skip('needs mounts of its own');
    await expectRefused(await build(sourcePatch(kernel, good), { within: mounts }), 1, /output-unusable/, /read-only/);
  });

  test('a file where the output folder should be: 1; something else where the bundle should be: 2', async () => {
    await writeFile(join(dir, 'file'), '');
    await writeFile(join(dir, 'x.patch'), sourcePatch(kernel, good));
    const to = (folder: string) =>
      livegraft(['build', join(dir, 'x.patch'), '--kernel', kernel.name, '-o', folder, '--quiet']);
    await expectRefused(await to(join(dir, 'file')), 1, /output-unusable/, /it is a file/);
    await mkdir(join(dir, 'taken/livegraft_x/precious'), { recursive: true });
    await expectRefused(await to(join(dir, 'taken')), 2, /output-occupied/);
    expect(await readdir(join(dir, 'taken/livegraft_x'))).toEqual(['precious']);
  });

  test('output folders are made, and go again when the build fails', async () => {
    await writeFile(join(dir, 'x.patch'), sourcePatch(kernel, good));
    const deep = join(dir, 'deep');
    const to = (folder: string) =>
      livegraft(['build', join(dir, 'x.patch'), '--kernel', kernel.name, '-o', folder, '--quiet']);
    expect(await to(join(deep, 'a/b'))).toMatchObject({ exit: 0, files: [] });
    expect(await readdir(join(deep, 'a/b'))).toEqual(['livegraft_x']);
    await expectRefused(await to('/proc/livegraft-test/x'), 1, /output-unusable/);
  });
});

describe('a bundle', () => {
  let bundle = '';
  beforeAll(async () => {
    await writeFile(join(dir, 'good.patch'), sourcePatch(kernel, good));
    const made = await livegraft([
      'build',
      join(dir, 'good.patch'),
      '--kernel',
      kernel.name,
      '-o',
      join(dir, 'bundles'),
      '--quiet',
    ]);
    expect(made).toMatchObject({ exit: 0, stderr: '' });
    bundle = join(dir, 'bundles/livegraft_good');
  });

  async function tampered(name: string, file: string, change: (bytes: Buffer) => Uint8Array | string): Promise<Ran> {
    const copy = join(dir, 'tampered', name);
    await cp(bundle, copy, { recursive: true });
    await writeFile(join(copy, file), change(await readFile(join(copy, file))));
    return livegraft(['try', copy, '--quiet']);
  }

  test('with a module changed by one byte is 4', async () => {
    const ran = await tampered('module', 'livegraft_good.ko', (bytes) => {
      bytes[bytes.length >> 1]! ^= 1;
      return bytes;
    });
    await expectRefused(ran, 4, /bundle-tampered/, /sha256 [0-9a-f]{64}/);
  });

  test('with a broken manifest is 4: what is wrong with it', async () => {
    await expectRefused(
      await tampered('cut', 'manifest.json', (bytes) => bytes.subarray(0, 100)),
      4,
      /manifest\.json is no JSON/,
    );
    await expectRefused(
      await tampered('noise', 'manifest.json', () => randomBytes(500)),
      4,
      /manifest\.json is no JSON/,
    );
    const field = await tampered('field', 'manifest.json', (bytes) =>
      bytes.toString().replace(/"sympos": \d+/, '"sympos": "first"'),
    );
    await expectRefused(field, 4, /bundle-unreadable/, /functions\.0\.sympos/);
    const name = await tampered('name', 'manifest.json', (bytes) =>
      bytes.toString().replace('livegraft_good.ko', '../../x.ko'),
    );
    await expectRefused(name, 4, /names the module/);
    const newer = await tampered('newer', 'manifest.json', (bytes) =>
      bytes.toString().replace('"schema": 1', '"schema": 2'),
    );
    await expectRefused(newer, 4, /schema/);
  });

  test('for another kernel is 5, before any guest starts', async () => {
    const ran = await tampered('foreign', 'manifest.json', (bytes) =>
      bytes.toString().replace(kernel.facts.buildId, '0'.repeat(40)),
    );
    await expectRefused(ran, 5, /bundle-for-other-kernel/, /livegraft build|build the patch again/);
  });

  test('that is none is 4', async () => {
    await expectRefused(await livegraft(['try', dir]), 4, /it has no manifest\.json/);
    await expectRefused(await livegraft(['try', join(dir, 'nothing')]), 4, /there is no such folder/);
    await expectRefused(await livegraft(['try', join(dir, 'good.patch')]), 4, /it is a file/);
  });
});
