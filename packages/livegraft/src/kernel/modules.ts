/** The modules shipped with a kernel: an index of them, what each needs before it, and their bytes. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { moduleCorrupt, moduleUnknown } from '../diagnostics/kernel.ts';
import { run } from '../support/exec.ts';
import { writeFileWhole } from '../support/files.ts';
import { compressionOfName, decompress } from './decompress.ts';
import { readModuleInfo } from './module-file.ts';
import type { Options } from './options.ts';
import type { Kernel, ModuleInfo } from './types.ts';

/** Names and aliases of what is built in, `-` turned into `_`. */
export type Builtins = ReadonlySet<string>;

const KO = /\.ko(\.xz|\.zst|\.gz)?$/;

/**
 * Reads the index of all modules below `modules` (what `lib/modules/RELEASE` holds), sorted by path.
 * Compressed ones are unpacked for the moment into `scratch`, a hundred at a time.
 */
export async function indexModules(
  modules: string,
  scratch: string,
  { progress, signal }: Options,
): Promise<ModuleInfo[]> {
  const paths = (await readdir(modules, { recursive: true })).filter((path) => KO.test(path)).sort();
  const plain = paths.filter((path) => compressionOfName(path) === undefined);
  const found: ModuleInfo[] = [];
  for (const [i, path] of plain.entries()) {
    if (i % 100 === 0) {
      await breathe();
      signal?.throwIfAborted();
      progress.detail(`${i} of ${paths.length} modules`);
    }
    found.push(readModuleInfo(join(modules, path), path));
  }
  const batches = inBatches(
    paths.filter((path) => compressionOfName(path) !== undefined),
    100,
  );
  const workers = Array.from({ length: availableParallelism() }, async () => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      found.push(...(await readPacked(modules, batch, scratch, signal)));
      progress.detail(`${found.length} of ${paths.length} modules`);
    }
  });
  await Promise.all(workers);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Reads `modules.json` of a kernel; empty when it came without modules. */
export async function readModuleIndex(kernel: Kernel): Promise<ModuleInfo[]> {
  if (kernel.paths.modules === undefined) return [];
  return JSON.parse(await readFile(join(kernel.dir, 'modules.json'), 'utf8')) as ModuleInfo[];
}

export async function writeModuleIndex(dir: string, index: readonly ModuleInfo[]): Promise<void> {
  await writeFileWhole(join(dir, 'modules.json'), `[\n${index.map((info) => JSON.stringify(info)).join(',\n')}\n]\n`);
}

/** Names and aliases of the built-in modules (modules.builtin, modules.builtin.modinfo: Documentation/kbuild/kbuild.rst). */
export async function readBuiltins(kernel: Kernel): Promise<Builtins> {
  const { modules } = kernel.paths;
  if (modules === undefined) return new Set();
  const optional = (name: string): Promise<string> => readFile(join(modules, name), 'utf8').catch(() => '');
  return parseBuiltins(await optional('modules.builtin'), await optional('modules.builtin.modinfo'));
}

export function parseBuiltins(list: string, modinfo: string): Builtins {
  const names = list.split('\n').flatMap((line) => /([^/]+)\.ko$/.exec(line)?.[1] ?? []);
  const aliases = modinfo.split('\0').flatMap((entry) => /^[^.=]+\.alias=(.*)$/s.exec(entry)?.[1] ?? []);
  return new Set([...names, ...aliases].map(normal));
}

/**
 * The modules to load for `names`, dependencies first: closure over `depends` and the softdeps that come before.
 * Names may be aliases; what is built in is present already. Of several modules with one alias (`crc32c`) the generic one is
 * taken, which works on every processor. A softdep that nothing provides is left out, as modprobe does.
 * @throws LivegraftError `module-unknown` for a name or a hard dependency that nothing provides
 */
export function resolveModules(
  kernel: string,
  index: readonly ModuleInfo[],
  builtins: Builtins,
  names: readonly string[],
): ModuleInfo[] {
  const byName = new Map(index.map((info) => [info.name, info]));
  const byAlias = new Map<string, ModuleInfo[]>();
  for (const info of index)
    for (const alias of info.aliases) byAlias.set(normal(alias), [...(byAlias.get(normal(alias)) ?? []), info]);

  const order = new Set<ModuleInfo>();
  const visit = (name: string, optional: boolean, above: readonly string[]): void => {
    const wanted = normal(name);
    if (builtins.has(wanted) || above.includes(wanted)) return;
    const providers = byAlias.get(wanted) ?? [];
    const info = byName.get(wanted) ?? providers.find((provider) => provider.name.endsWith('_generic')) ?? providers[0];
    if (info === undefined) {
      if (optional) return;
      throw new LivegraftError(moduleUnknown({ name, kernel }));
    }
    if (order.has(info)) return;
    const path = [...above, wanted, info.name];
    for (const softdep of info.softdepsPre) visit(softdep, true, path);
    for (const dependency of info.depends) visit(dependency, false, path);
    order.add(info);
  };
  for (const name of names) visit(name, false, []);
  return [...order];
}

/** The bytes of a shipped module, decompressed. Throws `module-unknown`, `module-corrupt`. */
export async function readModule(kernel: Kernel, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  const info = (await readModuleIndex(kernel)).find((candidate) => candidate.name === normal(name));
  if (info === undefined || kernel.paths.modules === undefined)
    throw new LivegraftError(moduleUnknown({ name, kernel: kernel.name }));
  return readModuleFile(join(kernel.paths.modules, info.path), signal);
}

/** The bytes of a module's file, decompressed if its name says that it is compressed. */
export async function readModuleFile(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = await readFile(path);
  const compression = compressionOfName(path);
  if (compression === undefined) return bytes;
  return decompress(bytes, compression, (problem) => new LivegraftError(moduleCorrupt({ path, problem })), signal);
}

function normal(name: string): string {
  return name.replaceAll('-', '_');
}

/** One start of the program unpacks a whole batch: starting it for each file would take a minute. */
async function readPacked(
  modules: string,
  paths: readonly string[],
  scratch: string,
  signal?: AbortSignal,
): Promise<ModuleInfo[]> {
  await mkdir(scratch, { recursive: true });
  const folder = await mkdtemp(join(scratch, 'modules-'));
  try {
    const names = await Promise.all(
      paths.map(async (path, i) => {
        const name = `${i}${/\.ko.*$/.exec(path)![0]}`;
        await symlink(resolve(modules, path), join(folder, name));
        return name;
      }),
    );
    for (const program of new Set(paths.map((path) => compressionOfName(path)!))) {
      const own = names.filter((name) => compressionOfName(name) === program);
      // -f: the input is a symbolic link; -k: keep it
      await run(program, ['-d', '-k', '-f', '-q', ...own], {
        cwd: folder,
        ...(signal === undefined ? {} : { signal }),
      });
    }
    return paths.map((path, i) => readModuleInfo(join(folder, `${i}.ko`), path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function inBatches<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
