/** A real kernel out of Debian's archive, into a cache of its own: killed, fetched twice at once, then read and compared with other tools. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BTF_KIND } from '@livegraft/binfmt/btf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Progress, silent } from '../support/progress.ts';
import { compileProgram } from '../testing/program.ts';
import { addKernel } from './add.ts';
import { makeBank } from './bank.ts';
import { bankSupply } from './bank-supply.ts';
import { listAvailable } from './debian.ts';
import { fetchKernel } from './fetch.ts';
import { type KernelImage, readImage } from './image.ts';
import { readBuiltins, readModule, readModuleIndex, resolveModules } from './modules.ts';
import { listKernels, openKernel, removeKernel } from './store.ts';
import { keptToolchain, type Toolchain, toolchainOf } from './toolchain.ts';
import { makeToolchain } from './toolchain-folder.ts';
import type { Kernel } from './types.ts';

const PREFERRED = '6.1.0-55-amd64';
const root = fileURLToPath(new URL('../../../..', import.meta.url));
const options = { progress: silent };

let cache: string;
let script: string;
let release: string;
let kernel: Kernel;
let image: KernelImage;

/** Another process that fetches the release. */
function fetching(): ChildProcess {
  return spawn(process.execPath, [script, release], {
    env: { ...process.env, XDG_CACHE_HOME: cache },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function ended(child: ChildProcess): Promise<number | string | null> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
}

beforeAll(async () => {
  // the children run JavaScript
  await compileProgram();
  cache = await mkdtemp(join(tmpdir(), 'livegraft-kernel-'));
  process.env['XDG_CACHE_HOME'] = cache;
  script = join(cache, 'fetch.mjs');
  const module = join(root, 'packages/livegraft/dist/kernel/fetch.js');
  await writeFile(
    script,
    `import { fetchKernel } from ${JSON.stringify(module)};
const progress = { step: (_title, work) => work(progress), detail() {}, say() {} };
await fetchKernel(process.argv[2], { progress });\n`,
  );
  const available = (await listAvailable(options)).filter(({ missing }) => missing.length === 0);
  release =
    available.find((one) => one.release === PREFERRED)?.release ??
    available.findLast((one) => /^6\.1\.0-\d+-amd64$/.test(one.release))!.release;
  console.log(
    `kernel.case: took ${release}${release === PREFERRED ? '' : `, because the archive no longer has ${PREFERRED}`}`,
  );

  const killed = fetching();
  const end = ended(killed);
  while (!existsSync(join(cache, 'livegraft/kernels', release, 'image')) && killed.exitCode === null) await sleep(50);
  killed.kill('SIGKILL');
  expect(await end).toBe('SIGKILL');
  expect(await listKernels()).toEqual([]);

  expect(await Promise.all([ended(fetching()), ended(fetching())])).toEqual([0, 0]);
  kernel = await openKernel(release);
  image = await readImage(kernel);
});

afterAll(async () => {
  await rm(cache, { recursive: true, force: true });
});

describe('fetchKernel', () => {
  test('a killed run and two at once leave one whole kernel and nothing else', async () => {
    expect((await listKernels()).map(({ name }) => name)).toEqual([release]);
    expect(await readdir(join(cache, 'livegraft/kernels'))).toEqual([release]);
    expect((await readdir(kernel.dir)).filter((name) => name.startsWith('.tmp') || name === 'scratch')).toEqual([]);
    expect((await readdir(join(cache, 'livegraft/debs'))).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('the build tree has the configuration of the headers package, objtool and module.lds', async () => {
    for (const file of ['include/config/auto.conf', 'include/generated/autoconf.h']) {
      const shipped = await readFile(join(kernel.dir, 'headers', file));
      expect(shipped.equals(await readFile(join(kernel.paths.build, file))), file).toBe(true);
    }
    expect(existsSync(join(kernel.paths.build, 'tools/objtool/objtool'))).toBe(true);
    expect(existsSync(join(kernel.paths.build, 'scripts/module.lds'))).toBe(true);
  });

  test('the facts are those of the files', async () => {
    const notes = execFileSync('readelf', ['-n', kernel.paths.vmlinux]).toString();
    expect(kernel.facts.buildId).toBe(/Build ID: ([0-9a-f]+)/.exec(notes)?.[1]);
    expect(kernel.facts.release).toBe(release);
    expect(kernel.facts.banner).toContain(`Linux version ${release} `);
    expect(kernel.facts.compiler).toMatch(/^gcc-12 \(Debian /);
    expect(kernel.facts.vermagic).toBe(`${release} SMP preempt mod_unload modversions`);
  });
});

describe('readImage', () => {
  test('symbols: all of them, those of one name in order, the right places', () => {
    expect(image.symbols.all.length).toBeGreaterThan(90_000);
    if (release === PREFERRED) expect(image.symbols.all).toHaveLength(94_266);
    expect(image.symbols.named('_text')[0]?.address).toBe(image.section('.text')?.address);
    const [schedule] = image.symbols.named('schedule');
    expect(schedule?.type).toBe('T');
    expect(image.symbols.covering(schedule!.address + 3n)?.name).toBe('schedule');
    const inits = image.symbols.named('__key.0');
    expect(inits.length).toBeGreaterThan(10);
  });

  test('every mcount entry in .text is a call of __fentry__', () => {
    const fentry = image.symbols.named('__fentry__')[0]!.address;
    const text = image.section('.text')!;
    let calls = 0;
    for (const address of image.mcount) {
      if (address < text.address || address >= text.address + BigInt(text.size)) continue;
      const bytes = Buffer.from(image.read(address, 5));
      expect(bytes[0]).toBe(0xe8);
      expect(address + 5n + BigInt(bytes.readInt32LE(1))).toBe(fentry);
      calls++;
    }
    expect(calls).toBeGreaterThan(35_000);
    const [show] = image.symbols.named('cmdline_proc_show');
    expect(image.ftraceEntry(show!.address)).toBe(show!.address);
    expect(image.ftraceEntry(fentry)).toBeUndefined();
  });

  test('exports, and the types as pahole has them', () => {
    expect(image.exports.get('klp_enable_patch')).toMatchObject({ owner: 'vmlinux', gpl: true });
    const [id] = image.btf.named(BTF_KIND.STRUCT, 'task_struct');
    const size = /size: (\d+)/.exec(
      execFileSync('pahole', ['-C', 'task_struct', kernel.paths.vmlinux]).toString(),
    )?.[1];
    expect(String(image.btf.type(id!).size)).toBe(size);
  });

  test('reading outside every section is refused', () => {
    expect(() => image.read(0xffffffff00000000n, 4)).toThrow(expect.objectContaining({ code: 'address-outside' }));
    const text = image.section('.text')!;
    expect(() => image.read(text.address + BigInt(text.size) - 2n, 4)).toThrow(
      expect.objectContaining({ code: 'address-outside' }),
    );
  });
});

describe('modules', () => {
  test('the index has what readelf finds, and ext4 its closure', async () => {
    const index = await readModuleIndex(kernel);
    expect(index.length).toBeGreaterThan(3500);
    const ext4 = index.find(({ name }) => name === 'ext4')!;
    const notes = execFileSync('readelf', ['-n', join(kernel.paths.modules!, ext4.path)]).toString();
    expect(ext4.buildId).toBe(/Build ID: ([0-9a-f]+)/.exec(notes)?.[1]);
    const names = resolveModules(release, index, await readBuiltins(kernel), ['ext4']).map(({ name }) => name);
    expect(names.toSorted()).toEqual(['crc16', 'crc32c_generic', 'ext4', 'jbd2', 'mbcache']);
    expect(names.at(-1)).toBe('ext4');
    expect((await readModule(kernel, 'ext4')).subarray(0, 4)).toEqual(Buffer.from('\x7fELF'));
  });
});

describe('a bank', () => {
  test('has the kernel and its compiler, which out of packages compiles the same as the one of this machine', async () => {
    const bank = join(cache, 'bank');
    const { manifest } = await makeBank([release], bank, options);
    expect(await readdir(join(bank, 'debs'))).toHaveLength(new Set(manifest.kernels[0]!.toolchain).size + 3);
    await expect(makeBank([release], bank, options)).rejects.toMatchObject({ code: 'bank-exists' });
    const supply = await bankSupply(bank, options);
    const { compiler, linker } = kernel.facts;
    const packages = await supply.toolchain({ compiler, linker }, undefined);
    const toolchain = await makeToolchain({ compiler, linker }, packages, await supply.get(packages, () => undefined));
    expect(await keptToolchain({ compiler, linker })).toBe(toolchain);
    const source = join(cache, 'probe.c');
    await writeFile(source, 'int f(int *p, int n) { int s = 0; while (n--) s += p[n] * 3; return s; }\n');
    const compile = ({ cc, ld }: Toolchain, name: string): Promise<Buffer> => {
      const [object, linked] = [join(cache, `${name}.o`), join(cache, `${name}-linked.o`)];
      execFileSync(cc, ['-O2', '-c', source, '-o', object]);
      execFileSync(ld, ['-r', object, '-o', linked]);
      return readFile(linked);
    };
    const own = await compile(toolchainOf({ compiler }), 'own');
    expect((await compile(toolchainOf({ compiler, toolchain }), 'packages')).equals(own)).toBe(true);
  });
});

describe('addKernel', () => {
  test('the same kernel from its files; a config of another compiler, or a cut image, is refused and leaves nothing', async () => {
    const { vmlinuz, config, symvers, source } = kernel.paths;
    const files = { vmlinuz, config, symvers, source };
    const cut = join(cache, 'cut');
    await writeFile(cut, (await readFile(vmlinuz)).subarray(0, 4_000_000));
    await expect(addKernel({ ...files, name: 'cut', vmlinuz: cut }, options)).rejects.toMatchObject({
      code: 'image-corrupt',
      exit: 4,
    });
    const other = join(cache, 'config');
    await writeFile(
      other,
      (await readFile(config, 'utf8')).replace(/^(CONFIG_CC_VERSION_TEXT=).*$/m, '$1"gcc-11 11.1"'),
    );
    await expect(addKernel({ ...files, name: 'other', config: other }, options)).rejects.toMatchObject({ exit: 5 });
    expect((await listKernels()).map(({ name }) => name)).toEqual([release]);
    expect(await readdir(join(cache, 'livegraft/kernels'))).toEqual([release]);
  });
});

describe('removeKernel', () => {
  test('takes the folder away, keeps the downloads', async () => {
    await removeKernel(release, options);
    expect(await listKernels()).toEqual([]);
    expect(await readdir(join(cache, 'livegraft/debs'))).not.toEqual([]);
    await expect(removeKernel(release, options)).rejects.toMatchObject({ code: 'kernel-not-here' });
  });
});

describe('fetchKernel again', () => {
  test('needs no network, and aborted while it unpacks or prepares it leaves nothing', async () => {
    const proxy = process.env['http_proxy'];
    process.env['http_proxy'] = 'http://127.0.0.1:9';
    try {
      for (const when of ['Unpack the source', 'Prepare the build tree']) {
        const controller = new AbortController();
        const progress: Progress = {
          ...silent,
          step: (title, work) => {
            if (title === when) setTimeout(() => controller.abort(new Error('interrupted')), 700);
            return work(progress);
          },
        };
        await expect(fetchKernel(release, { progress, signal: controller.signal })).rejects.toThrow('interrupted');
        expect(await readdir(join(cache, 'livegraft/kernels'))).toEqual([]);
      }
    } finally {
      if (proxy === undefined) delete process.env['http_proxy'];
      else process.env['http_proxy'] = proxy;
    }
  }, 600_000);
});
