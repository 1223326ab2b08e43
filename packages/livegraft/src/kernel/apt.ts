/**
 * Debian's archive through the system's apt, with lists and state of our own: no root, nothing installed, nothing of the system changed.
 * The system's sources, keys and proxy settings are used as they are (apt.conf(5), sources.list(5)).
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { archiveUnreachable } from '../diagnostics/kernel.ts';
import { run, tryRun } from '../support/exec.ts';
import { makeFolderWhole, removeFolderWhole, sweep, writeFileWhole } from '../support/files.ts';
import { withLock } from '../support/lock.ts';
import { lockOptions, type Options, withSignal } from './options.ts';
import { cacheDir, debsDir, lockFile } from './places.ts';

/** One version of one package in the archive. */
export interface ArchivePackage {
  readonly name: string;
  readonly version: string;
  readonly depends: string;
  /** Size of the .deb, bytes. */
  readonly size: number;
  /** sha256 of the .deb, hex. */
  readonly sha256: string;
  /** Base name of the .deb in the archive. */
  readonly file: string;
}

const MAX_AGE = 6 * 3600 * 1000;

/**
 * Every Linux image, headers and source package the system's sources offer, after refreshing our lists when they are older
 * than six hours or `fresh` is asked for. Sources that cannot be reached are passed over as long as some packages are known.
 * Throws `archive-unreachable`.
 */
export async function archivePackages(options: Options & { readonly fresh?: boolean }): Promise<ArchivePackage[]> {
  const folder = aptDir();
  return withLock(lockFile('apt'), lockOptions('the package lists', options), async () => {
    const config = await configure(folder);
    const stamp = join(folder, 'refreshed');
    const age = Date.now() - ((await stat(stamp).catch(() => undefined))?.mtimeMs ?? 0);
    let output = '';
    if (options.fresh === true || age > MAX_AGE) {
      output = await options.progress.step('Refresh the package lists', () => update(config, stamp, options.signal));
    }
    const packages = await readPackages(config, options.signal);
    if (packages.length === 0) throw new LivegraftError(archiveUnreachable({ output }));
    return packages;
  });
}

/** When our lists were last refreshed, milliseconds ago; Infinity when never. */
export async function listsAge(): Promise<number> {
  const stamp = await stat(join(aptDir(), 'refreshed')).catch(() => undefined);
  return stamp === undefined ? Number.POSITIVE_INFINITY : Date.now() - stamp.mtimeMs;
}

/**
 * The package's .deb, from our downloads or else from the archive; apt checks what it downloads, we check what we kept.
 * @param received called now and then with the bytes that are here
 * @returns its path
 */
export async function download(
  wanted: ArchivePackage,
  received: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  const target = debPath(wanted);
  if (!(await isWhole(target, wanted, signal))) {
    await sweep(debsDir());
    await removeFolderWhole(dirname(target)).catch(() => undefined);
    const config = await configure(aptDir());
    await makeFolderWhole(dirname(target), async (folder) => {
      const timer = setInterval(() => void sizeOf(folder).then(received), 300);
      try {
        const what = `${wanted.name}=${wanted.version}`;
        await run('apt-get', ['-q', '-c', config, 'download', what], withSignal({ cwd: folder }, { signal }));
      } finally {
        clearInterval(timer);
      }
      // apt writes characters such as ~ and : of the version in another way than the archive's file name
      const deb = (await readdir(folder)).find((name) => name.endsWith('.deb'));
      if (deb === undefined) throw new Error(`apt-get download left no .deb of ${wanted.name}`);
      await rename(join(folder, deb), join(folder, wanted.file));
    });
  }
  received(wanted.size);
  return target;
}

/** Whether a package lies whole among our downloads (by name and size; `download` checks its hash). */
export async function isKept(wanted: ArchivePackage): Promise<boolean> {
  return (await stat(debPath(wanted)).catch(() => undefined))?.size === wanted.size;
}

function aptDir(): string {
  return join(cacheDir(), 'apt');
}

function debPath({ file }: ArchivePackage): string {
  return join(debsDir(), file.replace(/\.deb$/, ''), file);
}

async function isWhole(path: string, { size, sha256 }: ArchivePackage, signal?: AbortSignal): Promise<boolean> {
  if ((await stat(path).catch(() => undefined))?.size !== size) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, withSignal({}, { signal }))) hash.update(chunk as Uint8Array);
  return hash.digest('hex') === sha256;
}

/** apt reads this after its own configuration, so `#clear` takes out the hooks that would touch the system. */
async function configure(folder: string): Promise<string> {
  await mkdir(join(folder, 'lists/partial'), { recursive: true });
  await mkdir(join(folder, 'archives/partial'), { recursive: true });
  await mkdir(debsDir(), { recursive: true });
  const path = join(folder, 'apt.conf');
  const text = `#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::State "${folder}";
Dir::State::lists "${folder}/lists";
Dir::State::status "/dev/null";
Dir::State::extended_states "/dev/null";
Dir::Cache "${folder}";
Dir::Cache::archives "${folder}/archives";
Dir::Cache::pkgcache "${folder}/pkgcache.bin";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
APT::Sandbox::User "root";
`;
  await writeFileWhole(path, text);
  return path;
}

async function update(config: string, stamp: string, signal: AbortSignal | undefined): Promise<string> {
  const result = await tryRun('apt-get', ['-q', '-c', config, 'update'], withSignal({}, { signal }));
  const complaints = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => /^(E|W|Err)\b/.test(line));
  // a source that fails is no reason to stop, but then the next run shall try again
  if (complaints.length === 0) {
    await writeFile(stamp, '');
    await utimes(stamp, new Date(), new Date());
  }
  return complaints.slice(0, 12).join('\n');
}

async function readPackages(config: string, signal?: AbortSignal): Promise<ArchivePackage[]> {
  const options = withSignal({}, { signal });
  const all = await run('apt-cache', ['-c', config, 'pkgnames', 'linux-'], options);
  const names = all.stdout
    .split('\n')
    .filter((name) => /^linux-(image|headers|source|base|binary|modules)-[0-9]/.test(name) && !name.endsWith('-dbg'));
  if (names.length === 0) return [];
  const shown = await run('apt-cache', ['-c', config, 'show', ...names], options);
  return parsePackages(shown.stdout);
}

/** Stanzas of a Packages file (deb822(5)); those without file or hash are left out, repeated ones come once. */
export function parsePackages(text: string): ArchivePackage[] {
  const found = new Map<string, ArchivePackage>();
  for (const stanza of text.split(/\n\n+/)) {
    const field = (name: string): string | undefined => new RegExp(`^${name}: *(.*)$`, 'm').exec(stanza)?.[1];
    const [name, version, path, sha256] = ['Package', 'Version', 'Filename', 'SHA256'].map(field);
    if (name === undefined || version === undefined || path === undefined || sha256 === undefined) continue;
    const file = path.slice(path.lastIndexOf('/') + 1);
    found.set(`${name} ${version}`, {
      name,
      version,
      depends: field('Depends') ?? '',
      size: Number(field('Size')),
      sha256,
      file,
    });
  }
  return [...found.values()];
}

async function sizeOf(folder: string): Promise<number> {
  let size = 0;
  for (const name of await readdir(folder).catch(() => []))
    size += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
  return size;
}
