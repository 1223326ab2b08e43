/** Interrupted at many moments: the exit code says so, nothing is left, and the next run works. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheDir } from '../kernel/places.ts';
import { compileProgram, livegraft, start, temporaries, unfinished } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
let out = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-interrupt-'));
  out = join(dir, 'out');
  await compileProgram();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let count = 0;
/** A build that has something to compile. */
async function startBuild(): Promise<ReturnType<typeof start>> {
  const patch = join(dir, 'some.patch');
  const text = `seq_puts(m, " ${process.pid} ${Date.now()} ${count++}\\n");`;
  await writeFile(patch, sourcePatch(kernel, { 'fs/proc/cmdline.c': ["seq_putc(m, '\\n');", text] }));
  return start(['build', patch, '--kernel', kernel.name, '-o', out]);
}

const stages = [
  'Apply the patch',
  'Ask kbuild',
  'Compile fs/proc/cmdline.c',
  'Compare original',
  'Read the kernel',
  'Make the livepatch module',
];
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a build', () => {
  test.each(stages)('Ctrl-C at "%s": 130, nothing left', async (stage) => {
    for (const delay of [0, 60, 200]) {
      const run = await startBuild();
      await run.saw(stage);
      await later(delay);
      process.kill(-run.pid, 'SIGINT');
      const ran = await run.ended;
      if (ran.exit === 0) {
        // it was quicker
        expect(await readdir(out)).toEqual(['livegraft_some']);
        await rm(out, { recursive: true });
        continue;
      }
      expect(ran).toMatchObject({ exit: 130, stdout: '', processes: [], files: [] });
      expect(ran.stderr).toMatch(/\nInterrupted; nothing half-done was left behind\n$/);
      expect(existsSync(out)).toBe(false);
    }
  });

  test('a request to end is 143, and --json still has its document', async () => {
    const patch = join(dir, 'json.patch');
    await writeFile(patch, sourcePatch(kernel, { 'fs/proc/cmdline.c': ["'\\n'", "'\\t'"] }));
    const run = start(['build', patch, '--kernel', kernel.name, '-o', out, '--json']);
    await run.saw('Read the kernel');
    process.kill(run.pid, 'SIGTERM');
    const ran = await run.ended;
    expect(ran).toMatchObject({ exit: 143, processes: [], files: [] });
    expect(JSON.parse(ran.stdout)).toMatchObject({ ok: false, exit: 143, result: null });
  });

  test('kill -9 at any stage: the next run sweeps and works', async () => {
    const killed: number[] = [];
    for (const stage of stages) {
      const run = await startBuild();
      await run.saw(stage);
      await later(50);
      process.kill(run.pid, 'SIGKILL');
      expect((await run.ended).processes).toEqual([]);
      killed.push(run.pid);
    }
    const run = await startBuild();
    expect(await run.ended).toMatchObject({ exit: 0, files: [] });
    expect(killed.flatMap((pid) => unfinished(pid, [out]))).toEqual([]);
    expect(await readdir(out)).toEqual(['livegraft_some']);
  });

  test('what a killed build left beside the bundle is swept', async () => {
    // process 1 began at another time
    await mkdir(join(out, '.tmp-1-1-00000000/livegraft_some'), { recursive: true });
    expect(temporaries(out)).toHaveLength(1);
    expect(await (await startBuild()).ended).toMatchObject({ exit: 0 });
    expect(temporaries(out)).toEqual([]);
  });
});

describe('a fetch', () => {
  async function ownCache(name: string): Promise<{ XDG_CACHE_HOME: string }> {
    const cache = join(dir, name);
    await mkdir(join(cache, 'livegraft'), { recursive: true });
    return { XDG_CACHE_HOME: cache };
  }

  async function interruptAt(step: string, env: Readonly<Record<string, string>>): Promise<void> {
    const run = start(['kernel', 'fetch', kernel.name], { env });
    await run.saw(step);
    await later(200);
    process.kill(-run.pid, 'SIGINT');
    const ran = await run.ended;
    expect({ ...ran, stderr: '' }).toEqual({ exit: 130, stdout: '', stderr: '', processes: [], files: [] });
    const cache = join(env['XDG_CACHE_HOME']!, 'livegraft');
    for (const folder of ['', 'kernels', 'debs', 'apt', 'locks']) expect(temporaries(join(cache, folder))).toEqual([]);
    expect(await readdir(join(cache, 'kernels')).catch(() => [])).toEqual([]);
  }

  test('Ctrl-C while lists and packages come in: 130, nothing half-done stays', async () => {
    const env = await ownCache('empty');
    await interruptAt('Refresh the package lists', env);
    await interruptAt('Download linux-source', env);
  });

  test('Ctrl-C at any later step: 130, nothing of the kernel stays; then kill -9, and the next run goes on', async () => {
    const env = await ownCache('fetch');
    await symlink(join(cacheDir(), 'debs'), join(env.XDG_CACHE_HOME, 'livegraft/debs'));
    for (const step of ['Unpack the source', 'Prepare the build tree']) await interruptAt(step, env);
    const kernels = join(env.XDG_CACHE_HOME, 'livegraft/kernels');
    const run = start(['kernel', 'fetch', kernel.name], { env });
    await run.saw('Unpack the source');
    await later(500);
    process.kill(run.pid, 'SIGKILL');
    await run.ended;
    const listed = await livegraft(['kernel', 'list'], { env });
    expect(listed).toMatchObject({ exit: 0, stdout: expect.stringContaining('No kernels yet') });
    const fetched = await livegraft(['kernel', 'fetch', kernel.name, '--quiet'], { env });
    expect(fetched).toMatchObject({ exit: 0, stderr: '', processes: [] });
    expect(temporaries(kernels)).toEqual([]);
    expect(temporaries(join(kernels, kernel.name))).toEqual([]);
  });
});
