/**
 * A toolchain out of packages: unpacked side by side in a folder of the cache, nothing installed, no root. Programs run through the folder's own
 * loader with the folder's own libraries, by small wrappers; the compiler finds its passes as wrappers too (gcc(1), -B).
 *
 *   ID/root/           the packages' files
 *   ID/bin/NAME        a wrapper for each program, by the name that kbuild calls
 *   ID/lib/cc1, as …   wrappers for what the compiler starts
 *   ID/toolchain.json  which banner it answers to, and what it is made of
 *
 * ID is the hash of its packages' hashes, so that it stands for what is in the folder.
 */
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, open, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { toolchainDiffers, toolchainIncomplete } from '../diagnostics/kernel.ts';
import { run, tryRun } from '../support/exec.ts';
import { makeFolderWhole, sweep, withTemporaryFolder } from '../support/files.ts';
import { withSignal } from './options.ts';
import type { ArchivePackage } from './packages.ts';
import { pipeline } from './pipeline.ts';
import { toolchainsDir } from './places.ts';
import { firstLine, type ToolchainRecord, toolchainOf, type Wanted } from './toolchain.ts';

/** Part of the id: what is done with the packages. */
const LAYOUT = 1;

export function toolchainId(packages: readonly Pick<ArchivePackage, 'sha256'>[]): string {
  const hashes = packages.map(({ sha256 }) => sha256).sort();
  return createHash('sha256')
    .update(JSON.stringify([LAYOUT, hashes]))
    .digest('hex')
    .slice(0, 16);
}

/**
 * Unpacks, makes the wrappers, and compiles and links something with them; appears whole, under its id, when its programs say what the
 * banner says. Throws `toolchain-differs`, `toolchain-incomplete` (exit 5).
 * @param debs the packages' files, in the order of `packages`
 * @returns its id
 */
export async function makeToolchain(
  wanted: Wanted,
  packages: readonly ArchivePackage[],
  debs: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const id = toolchainId(packages);
  await sweep(toolchainsDir());
  await makeFolderWhole(join(toolchainsDir(), id), async (folder) => {
    const root = join(folder, 'root');
    await mkdir(root);
    for (const deb of debs) await pipeline([['dpkg-deb', '-x', deb, root]], signal);
    await verify(folder, await makeWrappers(folder), wanted, signal);
    const record: ToolchainRecord = {
      schema: 1,
      compiler: wanted.compiler,
      linker: wanted.linker,
      packages,
    };
    await writeFile(join(folder, 'toolchain.json'), `${JSON.stringify(record, null, 2)}\n`);
  });
  return id;
}

const LIBRARIES = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'];

/** @returns what stands behind each, by its path in the folder */
async function makeWrappers(folder: string): Promise<Map<string, Wrapped>> {
  const root = join(folder, 'root');
  const libraries = await existing(root, LIBRARIES);
  const loaders = LIBRARIES.map((place) => `${place}/ld-linux-x86-64.so.2`);
  const [loader] = await existing(root, loaders);
  const passes = await passesFolder(root);
  if (loader === undefined) throw incomplete(`no ${loaders.join(' or ')}`);
  if (passes === undefined) throw incomplete('no cc1');
  const made = new Map<string, Wrapped>();
  const wrap = async (place: Wrapped['place'], name: string, program: string): Promise<void> => {
    const wrapped = { place, loader, libraries, program };
    const path = join(folder, place, name);
    await writeFile(path, wrapper(wrapped));
    await chmod(path, 0o755);
    made.set(`${place}/${name}`, wrapped);
  };
  await mkdir(join(folder, 'bin'));
  await mkdir(join(folder, 'lib'));
  for (const name of await programsIn(join(root, 'usr/bin'))) {
    await wrap('bin', name, `usr/bin/${name}`);
    const tool = /^x86_64-linux-gnu-(as|ld(?:\.bfd)?|nm|objcopy|strip)$/.exec(name)?.[1];
    if (tool !== undefined) await wrap('lib', tool, `usr/bin/${name}`);
  }
  for (const name of await programsIn(join(root, passes))) await wrap('lib', name, `${passes}/${name}`);
  return made;
}

interface Wrapped {
  readonly place: 'bin' | 'lib';
  /** Paths below `root`. */
  readonly loader: string;
  readonly libraries: readonly string[];
  readonly program: string;
}

/** The wrapper finds its folder by its own path, by which it must be called. */
export function wrapper({ place, loader, libraries, program }: Wrapped): string {
  const driver = /(?:^|-)(?:gcc|cpp)(?:-\d+)?$/.test(basename(program));
  return [
    '#!/bin/sh',
    `here=\${0%/${place}/*}`,
    'unset LD_PRELOAD',
    [
      `exec "$here/root/${loader}" --inhibit-cache`,
      `--library-path "${libraries.map((folder) => `$here/root/${folder}`).join(':')}"`,
      `"$here/root/${program}"`,
      ...(driver ? ['-B"$here/lib/"'] : []),
      '"$@"',
    ].join(' '),
    '',
  ].join('\n');
}

/** Where cc1 lies, below `root`: in /usr/libexec since gcc-14, in /usr/lib before. */
async function passesFolder(root: string): Promise<string | undefined> {
  for (const place of ['usr/libexec/gcc/x86_64-linux-gnu', 'usr/lib/gcc/x86_64-linux-gnu']) {
    for (const version of await readdir(join(root, place)).catch(() => [])) {
      const [found] = await existing(root, [`${place}/${version}/cc1`]);
      if (found !== undefined) return `${place}/${version}`;
    }
  }
  return undefined;
}

/** Names of the ELF programs in a folder, by whatever link; libraries and scripts are none. */
async function programsIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => !/\.(so|a)\b/.test(name));
  const programs = await Promise.all(names.map((name) => isElf(join(folder, name))));
  return names.filter((_, i) => programs[i]);
}

async function isElf(path: string): Promise<boolean> {
  if (!((await stat(path).catch(() => undefined))?.isFile() ?? false)) return false;
  const handle = await open(path);
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString('latin1') === '\x7fELF';
  } finally {
    await handle.close();
  }
}

/** They say what the banner says, need nothing of this machine, and work. */
async function verify(
  folder: string,
  made: ReadonlyMap<string, Wrapped>,
  wanted: Wanted,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { cc, ld, prefix } = toolchainOf(wanted);
  for (const [name, words] of [
    [cc, wanted.compiler],
    [ld, wanted.linker],
  ] as const) {
    const found = (await firstLine(join(folder, 'bin', name), signal)) ?? 'not there';
    if (found !== words) throw new LivegraftError(toolchainDiffers({ program: name, found, wanted: words }));
  }
  const tools = ['as', 'ar', 'nm', 'objcopy', 'objdump', 'strip', 'readelf'].map((tool) => `${prefix}${tool}`);
  const programs = [...[cc, ld, ...tools].map((name) => `bin/${name}`), 'lib/cc1', 'lib/collect2', 'lib/as', 'lib/ld'];
  for (const name of programs) {
    const wrapped = made.get(name);
    if (wrapped === undefined) throw incomplete(`no ${name}`);
    await requireOwnLibraries(join(folder, 'root'), wrapped, signal);
  }
  await withTemporaryFolder(folder, async (scratch) => {
    const how = withSignal({ cwd: scratch, input: 'int livegraft(int x) { return x + 1; }\n' }, { signal });
    await run(join(folder, 'bin', cc), ['-O2', '-x', 'c', '-', '-c', '-o', 'probe.o'], how);
    await run(join(folder, 'bin', ld), ['-r', 'probe.o', '-o', 'linked.o'], how);
  });
}

/** What the loader does not find in the folder, it would take from the machine. */
async function requireOwnLibraries(
  root: string,
  { loader, libraries, program }: Wrapped,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = libraries.map((library) => join(root, library)).join(':');
  const args = ['--inhibit-cache', '--library-path', path, '--list', join(root, program)];
  const { stdout, stderr, exitCode } = await tryRun(join(root, loader), args, withSignal({}, { signal }));
  if (exitCode !== 0) throw incomplete(`${program}: ${stderr.trim().split('\n').at(-1)}`);
  const strange = [...stdout.matchAll(/^\s*(\S+) => (\S+)/gm)].find(([, , place]) => !place!.startsWith(`${root}/`));
  if (strange !== undefined) throw incomplete(`${program} needs ${strange[1]}, which is in none of its packages`);
}

function incomplete(problem: string): LivegraftError {
  return new LivegraftError(toolchainIncomplete({ problem }));
}

async function existing(root: string, paths: readonly string[]): Promise<string[]> {
  const there = await Promise.all(paths.map((path) => isThere(join(root, path))));
  return paths.filter((_, i) => there[i]);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
