/** Which .c files of a kernel source include other .c files: such code is compiled as a part of its includers. */
import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { tryRun } from '../support/exec.ts';
import { writeFileWhole } from '../support/files.ts';

export interface SourceIncludes {
  /** The .c and .h files that include this one, sorted. */
  includersOf(path: string): readonly string[];
  /** Whether a Makefile of its folder, or of one above, names the object of this .c file. */
  isUnit(path: string): boolean;
}

/** Folders of a source tree that hold no code of the running kernel. */
const aside = new Set(['Documentation', 'LICENSES', 'tools', 'samples', 'scripts', 'usr', 'debian', 'arch']);

/** One `#include` of a .c file. */
interface Directive {
  readonly from: string;
  readonly name: string;
  /** The file beside the includer that is meant; absent when it is found along some -I path, wherever that is. */
  readonly file?: string;
}

/**
 * Searches the source for `#include` of .c files, or takes the list from `cache` where an earlier search left it.
 * @param cache a file that belongs to this source tree alone; the tree never changes
 */
export async function readSourceIncludes(
  source: string,
  cache: string,
  options: { readonly arch?: string; readonly signal?: AbortSignal } = {},
): Promise<SourceIncludes> {
  const kept = await readFile(cache, 'utf8')
    .then((text) => JSON.parse(text) as { schema: 1; directives: Directive[] })
    .catch(() => undefined);
  const directives = kept?.schema === 1 ? kept.directives : await search(source, options.arch ?? 'x86', options.signal);
  if (kept?.schema !== 1) await writeFileWhole(cache, JSON.stringify({ schema: 1, directives }));
  return sourceIncludes(source, directives);
}

export function sourceIncludes(source: string, directives: readonly Directive[]): SourceIncludes {
  const byName = group(directives);
  return {
    includersOf: (path) =>
      [
        ...new Set((byName.get(basename(path)) ?? []).filter((one) => includes(one, path)).map(({ from }) => from)),
      ].sort(),
    isUnit: (path) => isUnit(source, path),
  };
}

function group(directives: readonly Directive[]): Map<string, Directive[]> {
  const map = new Map<string, Directive[]>();
  for (const one of directives) map.set(basename(one.name), [...(map.get(basename(one.name)) ?? []), one]);
  return map;
}

/** Where the file is not known, any whose path ends so may be meant. */
function includes({ from, name, file }: Directive, path: string): boolean {
  if (from === path) return false;
  return file === undefined ? `/${path}`.endsWith(`/${name.replace(/^(\.\.?\/)+/, '')}`) : file === path;
}

async function search(source: string, arch: string, signal: AbortSignal | undefined): Promise<Directive[]> {
  const tops = (await readdir(source, { withFileTypes: true })).filter(
    (entry) => entry.isDirectory() && !aside.has(entry.name),
  );
  const folders = [...tops.map((entry) => entry.name), `arch/${arch}`];
  const pattern = '^[ \t]*#[ \t]*include[ \t]*["<][^">]*\\.c[">]';
  const result = await tryRun('grep', ['-rsE', '--include=*.[chS]', pattern, '--', ...folders], {
    cwd: source,
    ...(signal === undefined ? {} : { signal }),
  });
  return result.stdout.split('\n').flatMap((line) => {
    const match = /^([^:]+):.*?include[ \t]*(["<])([^">]+)[">]/.exec(line);
    if (match === null) return [];
    const [, from = '', quote, name = ''] = match;
    const file = normalize(join(dirname(from), name));
    return [{ from, name, ...(quote === '"' && existsSync(join(source, file)) ? { file } : {}) }];
  });
}

function isUnit(source: string, path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const object = (folder === '.' ? path : path.slice(folder.length + 1)).replace(/\.c$/, '.o');
    const named = new RegExp(`(^|[\\s=:/])${object.replace(/[.*+?^$()[\]{}|\\]/g, '\\$&')}(\\s|$)`, 'm');
    for (const name of ['Makefile', 'Kbuild']) {
      try {
        if (named.test(readFileSync(join(source, folder, name), 'latin1'))) return true;
      } catch {
        // most folders have only one of them
      }
    }
    if (folder === '.') return false;
  }
}
