/** Disks that are full or read-only, and places that are taken: one clear message, the right exit code, nothing left behind. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cacheDir } from '../kernel/places.ts';
import { livegraft } from '../testing/program.ts';
import { type Edits, privateMounts, sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { cmdline, good, workplace } from '../testing/workplace.ts';

const kernel = await testKernel();
const { dir, out, build, expectRefused } = workplace(kernel);

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
