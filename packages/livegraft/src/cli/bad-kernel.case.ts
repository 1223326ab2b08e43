/** Kernels, compilers and parts that do not belong together: one clear message, the right exit code, nothing left behind. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makePatchedTree } from '../kbuild/tree.ts';
import { kernelDir } from '../kernel/places.ts';
import { livegraft, type Ran } from '../testing/program.ts';
import { privateMounts, sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { cmdline, good, workplace } from '../testing/workplace.ts';

const kernel = await testKernel();
const { dir, out, build, expectRefused } = workplace(kernel);

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
