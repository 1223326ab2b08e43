/** Other versions of a kernel's source package: to see what an update changed. */
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { sourceVersionGone } from '../diagnostics/kernel.ts';
import { download, packagesNamed } from './apt.ts';
import { amount } from './debs.ts';
import type { Options } from './options.ts';
import { pipeline } from './pipeline.ts';
import { SHELVES } from './shelves.ts';

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
  const deb = await downloadSource(name, version, options);
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

/** The .deb of a source package, from whatever shelf has it, the system's own sources first. Throws `source-version-gone` (exit 4). */
export async function downloadSource(name: string, version: string, options: Options): Promise<string> {
  for (const shelf of [undefined, ...SHELVES.map((each) => each.name)]) {
    const offered = await packagesNamed([name], shelf === undefined ? options : { ...options, shelf });
    const wanted = offered.find((each) => each.version === version);
    if (wanted === undefined) continue;
    return options.progress.step(`Download ${name} ${version}`, (progress) =>
      download(wanted, (bytes) => progress.detail(amount(bytes, wanted.size)), options.signal),
    );
  }
  throw new LivegraftError(sourceVersionGone({ name, version }));
}
