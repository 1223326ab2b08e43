/** The content of Debian's kernel packages in the shape of a kernel's folder. */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { kernelFileUnreadable } from '../diagnostics/kernel.ts';
import { pipeline } from './pipeline.ts';

/** Fills `folder` with `vmlinuz`, `config` and `modules/` out of the image's packages. */
export async function unpackImage(
  debs: readonly string[],
  release: string,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const raw = join(folder, 'raw');
  await mkdir(raw);
  for (const deb of debs) await pipeline([['dpkg-deb', '-x', deb, raw]], signal);
  const tree = await firstOf(raw, [`usr/lib/modules/${release}`, `lib/modules/${release}`], debs);
  await rename(
    await firstOf(raw, [`boot/vmlinuz-${release}`, `usr/lib/modules/${release}/vmlinuz`], debs),
    join(folder, 'vmlinuz'),
  );
  await rename(
    await firstOf(raw, [`boot/config-${release}`, `usr/lib/modules/${release}/config`], debs),
    join(folder, 'config'),
  );
  await rename(tree, join(folder, 'modules'));
  await rm(raw, { recursive: true });
}

/** Fills `folder` with what linux-headers-RELEASE has: `.config`, `Module.symvers`, `include/`, `arch/`. */
export async function unpackHeaders(deb: string, release: string, folder: string, signal?: AbortSignal): Promise<void> {
  const raw = join(folder, 'raw');
  await mkdir(raw);
  await pipeline([['dpkg-deb', '-x', deb, raw]], signal);
  const tree = await firstOf(raw, [`usr/src/linux-headers-${release}`], [deb]);
  for (const name of await readdir(tree)) await rename(join(tree, name), join(folder, name));
  await rm(raw, { recursive: true });
}

/** Fills `folder` with the source tree; the archive inside the package is unpacked while the package is. */
export async function unpackSource(deb: string, name: string, folder: string, signal?: AbortSignal): Promise<void> {
  await pipeline(
    [
      ['dpkg-deb', '--fsys-tarfile', deb],
      ['tar', '-xO', `./usr/src/${name}.tar.xz`],
      ['tar', '-xJ', '--strip-components=1', '--no-same-owner', '-C', folder],
    ],
    signal,
  );
}

async function firstOf(root: string, candidates: readonly string[], debs: readonly string[]): Promise<string> {
  for (const candidate of candidates) {
    if ((await stat(join(root, candidate)).catch(() => undefined)) !== undefined) return join(root, candidate);
  }
  throw new LivegraftError(
    kernelFileUnreadable({ path: debs[0] ?? root, problem: `This package has no ${candidates.join(' or ')}` }),
  );
}
