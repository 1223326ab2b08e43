/**
 * Debian's archive through the system's apt, with lists and state of our own: no root, nothing installed, nothing of the system changed.
 * The system's sources, keys and proxy settings are used as they are (apt.conf(5), sources.list(5)).
 */
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { archiveUnreachable, packageGone } from '../diagnostics/kernel.ts';
import { run, tryRun } from '../support/exec.ts';
import { sweep, withTemporaryFolder, writeFileWhole } from '../support/files.ts';
import { withLock } from '../support/lock.ts';
import { debPath, keep, notHere, sizeOfAll } from './debs.ts';
import { lockOptions, type Options, withSignal } from './options.ts';
import { type ArchivePackage, parsePackages } from './packages.ts';
import { aptDir, debsDir, lockFile } from './places.ts';
import { parseTargets, sourcesOf, targetFormat } from './shelves.ts';

const MAX_AGE = 6 * 3600 * 1000;

export interface ListOptions extends Options {
  /** Which lists (`shelves.ts`); the system's own sources when left out. */
  readonly shelf?: string;
  /** Milliseconds after which our lists are refreshed; six hours when left out. */
  readonly maxAge?: number;
}

/**
 * Every Linux image, headers and source package that a shelf offers, after refreshing our lists when they are too old.
 * Sources that cannot be reached are passed over as long as some packages are known; a shelf whose suites the archive does not have is empty.
 * Throws `archive-unreachable`.
 */
export async function archivePackages(options: ListOptions): Promise<ArchivePackage[]> {
  return withLists(options, async (config, complaints) => {
    const all = await run('apt-cache', ['-c', config, 'pkgnames', 'linux-'], withSignal({}, options));
    const names = all.stdout
      .split('\n')
      .filter((name) => /^linux-(image|headers|source|base|binary|modules)-[0-9]/.test(name) && !name.endsWith('-dbg'));
    const packages = await show(config, names, options);
    if (packages.length === 0 && (options.shelf === undefined || complaints.length > 0))
      throw new LivegraftError(archiveUnreachable({ output: complaints.slice(0, 12).join('\n') }));
    return packages;
  });
}

/** All versions of the named packages on a shelf, from the lists as they are unless these are too old. */
export async function packagesNamed(names: readonly string[], options: ListOptions): Promise<ArchivePackage[]> {
  return withLists(options, (config) => show(config, names, options));
}

async function show(config: string, names: readonly string[], options: ListOptions): Promise<ArchivePackage[]> {
  if (names.length === 0) return [];
  // names that are on no list make apt-cache fail after it has shown the others
  const shown = await tryRun('apt-cache', ['-c', config, 'show', ...names], withSignal({}, options));
  return parsePackages(shown.stdout, options.shelf);
}

async function withLists<T>(
  options: ListOptions,
  work: (config: string, complaints: readonly string[]) => Promise<T>,
): Promise<T> {
  const { shelf, maxAge = MAX_AGE } = options;
  const what = shelf === undefined ? 'the package lists' : `the package lists of ${shelf}`;
  return withLock(lockFile(shelf === undefined ? 'apt' : `apt-${shelf}`), lockOptions(what, options), async () => {
    const config = await configure(shelf);
    let complaints: string[] = [];
    if ((await listsAge(shelf)) > maxAge) {
      const title = shelf === undefined ? 'Refresh the package lists' : `Refresh the package lists of ${shelf}`;
      complaints = await options.progress.step(title, () => update(config, shelf, options.signal));
    }
    return work(config, complaints);
  });
}

/** When our lists were last refreshed, milliseconds ago; Infinity when never. */
export async function listsAge(shelf?: string): Promise<number> {
  const stamp = await stat(stampOf(shelf)).catch(() => undefined);
  return stamp === undefined ? Number.POSITIVE_INFINITY : Date.now() - stamp.mtimeMs;
}

/**
 * The package's .deb, from our downloads or else from the archive; apt checks what it downloads, we check what we kept.
 * @param received called now and then with the bytes that are here
 * @returns its path
 * @throws LivegraftError `package-gone` (exit 4) when the archive has that version no longer
 */
export async function download(
  wanted: ArchivePackage,
  received: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  const [path] = await downloadAll([wanted], received, signal);
  return path!;
}

/** The same for several, which lie on any shelves; `received` counts all together. */
export async function downloadAll(
  wanted: readonly ArchivePackage[],
  received: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<string[]> {
  const missing = await notHere(wanted, signal);
  let here = sizeOfAll(wanted) - sizeOfAll(missing);
  if (missing.length > 0) await sweep(debsDir());
  for (const shelf of new Set(missing.map((each) => each.shelf))) {
    const some = missing.filter((each) => each.shelf === shelf);
    await fromArchive(some, shelf, (bytes) => received(here + bytes), signal);
    here += sizeOfAll(some);
  }
  received(here);
  return wanted.map(debPath);
}

async function fromArchive(
  wanted: readonly ArchivePackage[],
  shelf: string | undefined,
  received: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const config = await configure(shelf);
  await withTemporaryFolder(debsDir(), async (folder) => {
    const timer = setInterval(() => void sizeOf(folder).then(received), 300);
    try {
      await aptDownload(wanted, config, folder, signal);
    } finally {
      clearInterval(timer);
    }
    const debs = await readdir(folder);
    for (const each of wanted) {
      // apt writes characters such as ~ and : of the version in another way than the archive's file name
      const deb = debs.find((name) => name.startsWith(`${each.name}_`) && name.endsWith('.deb'));
      if (deb === undefined) throw new Error(`apt-get download left no .deb of ${each.name}`);
      await keep(each, join(folder, deb));
    }
  });
}

async function aptDownload(
  wanted: readonly ArchivePackage[],
  config: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const how = withSignal({ cwd: folder }, { signal });
  const words = ['-q', '-c', config, 'download', ...wanted.map(({ name, version }) => `${name}=${version}`)];
  const result = await tryRun('apt-get', words, how);
  if (result.exitCode === 0) return;
  const gone = wanted.find(({ name, file }) =>
    result.stderr
      .split('\n')
      .some((line) =>
        line.includes('404')
          ? line.includes(`/${file} `)
          : /not found|locate|Can't find/.test(line) && line.includes(name),
      ),
  );
  if (gone !== undefined) throw new LivegraftError(packageGone(gone));
  await run('apt-get', words, how);
}

function stampOf(shelf: string | undefined): string {
  return join(aptDir(shelf), 'refreshed');
}

/** apt reads this after its own configuration, so `#clear` takes out the hooks that would touch the system. */
async function configure(shelf: string | undefined): Promise<string> {
  const folder = aptDir(shelf);
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
  if (shelf === undefined) {
    await writeChanged(path, text);
    return path;
  }
  const system = await configure(undefined);
  const words = ['-c', system, 'indextargets', '--format', targetFormat, 'Created-By: Packages'];
  const targets = parseTargets((await run('apt-get', words)).stdout);
  const sources = join(folder, 'archive.sources');
  await writeChanged(sources, await sourcesOf(shelf, targets));
  await writeChanged(path, `${text}Dir::Etc::sourcelist "${sources}";\nDir::Etc::sourceparts "-";\n`);
  return path;
}

/** A list of sources that is newer than apt's cache makes apt read all lists again. */
async function writeChanged(path: string, text: string): Promise<void> {
  if ((await readFile(path, 'utf8').catch(() => undefined)) !== text) await writeFileWhole(path, text);
}

/** What apt complained about; on a shelf of ours that a suite does not exist is no complaint. */
async function update(config: string, shelf: string | undefined, signal: AbortSignal | undefined): Promise<string[]> {
  const absent = /^Err:.* Release$|does not have a Release file/;
  const result = await tryRun('apt-get', ['-q', '-c', config, 'update'], withSignal({}, { signal }));
  const complaints = `${result.stdout}\n${result.stderr}`
    .split('\n')
    .filter((line) => /^(E|W|Err)\b/.test(line) && (shelf === undefined || !absent.test(line)));
  // a source that fails is no reason to stop, but then the next run shall try again
  if (complaints.length === 0) {
    const stamp = stampOf(shelf);
    await writeFile(stamp, '');
    await utimes(stamp, new Date(), new Date());
  }
  return complaints;
}

async function sizeOf(folder: string): Promise<number> {
  let size = 0;
  for (const name of await readdir(folder).catch(() => []))
    size += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
  return size;
}
