/** Files out of another version of a kernel's source package: to see what an update changed. */
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { sourceVersionGone } from '../diagnostics/kernel.ts';
import { archivePackages, download } from './apt.ts';
import type { Options } from './options.ts';
import { pipeline } from './pipeline.ts';

/**
 * Unpacks one folder of `linux-source-X.Y`, version VERSION, into `folder`, which gets the source's layout below it.
 * Throws `source-version-gone` (exit 4) when the archive does not have that version.
 */
export async function unpackSourceFolder(
  name: string,
  version: string,
  path: string,
  folder: string,
  options: Options,
): Promise<void> {
  const wanted = (await archivePackages(options)).find((each) => each.name === name && each.version === version);
  if (wanted === undefined) throw new LivegraftError(sourceVersionGone({ name, version }));
  const deb = await options.progress.step(`Download ${name} ${version}`, (progress) =>
    download(
      wanted,
      (bytes) => progress.detail(`${Math.round(bytes / 1e6)} of ${Math.round(wanted.size / 1e6)} MB`),
      options.signal,
    ),
  );
  const raw = join(folder, '.raw');
  await mkdir(raw, { recursive: true });
  await options.progress.step(`Unpack ${path} of ${version}`, () =>
    pipeline(
      [
        ['dpkg-deb', '--fsys-tarfile', deb],
        ['tar', '-xO', '--wildcards', './usr/src/linux-source-*.tar.xz'],
        ['xz', '-dc', '-T0'],
        ['tar', '-x', '-C', raw, '--wildcards', `*/${path}/*`],
      ],
      options.signal,
    ),
  );
  const [top] = await readdir(raw);
  await rename(join(raw, top!), join(folder, 'source'));
}
