/**
 * Which files of a kernel may include which: every `#include` of source and build tree, read as text. It errs on the side of too many:
 * conditions are not looked at, and a name that is found along some -I path means every file whose path ends so. What a unit really
 * reads, the compiler says later.
 */
import { readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { tryRun } from '../support/exec.ts';
import { writeFileWhole } from '../support/files.ts';

/** One `#include`, or a macro that another one names (`#define TRACE_INCLUDE_FILE x`). */
export interface Include {
  readonly from: string;
  /** As written. */
  readonly name: string;
  readonly quoted: boolean;
}

export interface IncludeGraph {
  /** All files that may include one of these, directly or through others; their paths, without the files themselves. */
  includersOf(paths: readonly string[]): ReadonlySet<string>;
  /** Whether a file includes one of the headers by a path from its own folder, directly or through others: so do programs of the build. */
  includesByPath(file: string, headers: readonly string[]): boolean;
  /** Files that include by a path with `..` in it. */
  readonly climbing: ReadonlySet<string>;
}

/** Folders that hold no code of the running kernel. */
const aside = new Set(['Documentation', 'LICENSES', 'tools', 'samples', 'scripts', 'debian', 'arch']);

const included = '^[ \t]*#[ \t]*include([ \t]|["<])';

interface Kept {
  readonly schema: 1;
  readonly files: readonly (readonly [from: string, ...names: string[]])[];
  readonly links: readonly (readonly [string, string])[];
}

/**
 * Searches both trees, which takes some seconds, or takes what an earlier search left in `cache`. Paths are relative to the tree, source
 * and build tree alike.
 * @param cache a file that belongs to these trees alone; they do not change
 */
export async function readIncludeGraph(
  trees: { readonly source: string; readonly build: string },
  cache: string,
  options: { readonly arch?: string; readonly signal?: AbortSignal } = {},
): Promise<IncludeGraph> {
  const kept = await readFile(cache, 'utf8')
    .then((text) => JSON.parse(text) as Kept)
    .catch(() => undefined);
  if (kept?.schema === 1) {
    // quoted names are kept with their first quote
    const includes = kept.files.flatMap(([from, ...names]) =>
      names.map((name) =>
        name.startsWith('"') ? { from, name: name.slice(1), quoted: true } : { from, name, quoted: false },
      ),
    );
    return includeGraph(includes, kept.links);
  }
  const { includes, links } = await search(trees, options.arch ?? 'x86', options.signal);
  const files = new Map<string, [string, ...string[]]>();
  for (const { from, name, quoted } of includes) {
    const names = files.get(from) ?? [from];
    names.push(quoted ? `"${name}` : name);
    files.set(from, names);
  }
  await writeFileWhole(cache, JSON.stringify({ schema: 1, files: [...files.values()], links } satisfies Kept));
  return includeGraph(includes, links);
}

async function search(
  { source, build }: { readonly source: string; readonly build: string },
  arch: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly includes: Include[]; readonly links: [string, string][] }> {
  const includes: Include[] = [];
  const links: [string, string][] = [];
  // what TRACE_INCLUDE_FILE is by default (include/trace/define_trace.h)
  const macros = new Set(['TRACE_SYSTEM']);
  for (const root of [source, build]) {
    const folders = (await readdir(root, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory() && !aside.has(entry.name))
      .map((entry) => entry.name);
    const options = { cwd: root, ...(signal === undefined ? {} : { signal }) };
    const where = [...folders.sort(), `arch/${arch}`];
    const grep = async (regex: string): Promise<string[]> =>
      (await tryRun('grep', ['-rsaE', '--include=*.[chS]', regex, '--', ...where], options)).stdout.split('\n');
    for (const line of await grep(included)) {
      const include = parse(line);
      if (include !== undefined && 'name' in include) includes.push(include);
      else if (include !== undefined) for (const word of include.macros) macros.add(word);
    }
    const defined = `^[ \t]*#[ \t]*define[ \t]+(${[...macros].join('|')})[ \t]`;
    for (const line of await grep(defined)) {
      const include = parse(line);
      if (include !== undefined && 'name' in include) includes.push(include);
    }
    const linked = await tryRun('find', [...where, '-type', 'l', '-name', '*.[chS]'], options);
    for (const link of linked.stdout.split('\n').filter((path) => path !== '')) {
      links.push([link, normalize(join(dirname(link), readlinkSync(join(root, link))))]);
    }
  }
  return { includes, links };
}

/** @param links a path that is a symbolic link, and where it leads */
export function includeGraph(
  includes: readonly Include[],
  links: readonly (readonly [string, string])[],
): IncludeGraph {
  const byName = new Map<string, Include[]>();
  for (const one of includes) {
    const name = basename(one.name);
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [one]);
    else known.push(one);
  }
  const present = new Set(includes.map(({ from }) => from));
  const includersOf = (paths: readonly string[]): Set<string> => {
    const seen = new Set<string>();
    const queue = [...paths];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      for (const [link, target] of links) if (target === path) add(link);
      for (const one of byName.get(basename(path)) ?? []) if (mayMean(one, path, present)) add(one.from);
    }
    for (const path of paths) seen.delete(path);
    return seen;

    function add(path: string): void {
      if (seen.has(path)) return;
      seen.add(path);
      queue.push(path);
    }
  };
  const beside = new Map<string, string[]>();
  for (const { from, name, quoted } of includes) {
    if (quoted) beside.set(from, [...(beside.get(from) ?? []), normalize(join(dirname(from), name))]);
  }
  const includesByPath = (file: string, headers: readonly string[]): boolean => {
    const seen = new Set([file]);
    for (const one of seen) for (const path of beside.get(one) ?? []) seen.add(path);
    return headers.some((header) => seen.has(header));
  };
  const climbing = new Set(includes.filter(({ name }) => name.includes('../')).map(({ from }) => from));
  return { includersOf, includesByPath, climbing };
}

/** A quoted name means the file beside its includer where that is known to exist; otherwise any whose path ends with it. */
function mayMean({ from, name, quoted }: Include, path: string, present: ReadonlySet<string>): boolean {
  const beside = normalize(join(dirname(from), name));
  if (beside === path) return true;
  if (quoted && present.has(beside)) return false;
  // `..` leads from a folder of some -I path, which is not known here
  const end = name.replace(/^.*\.\.\//, '').replace(/^(\.\/)+/, '');
  return `/${path}`.endsWith(`/${end}`);
}

/** One line of grep's: a file that is named, or the macros that an `#include` consists of. */
function parse(line: string): Include | { readonly macros: readonly string[] } | undefined {
  const colon = line.indexOf(':');
  if (colon < 0) return undefined;
  const from = line.slice(0, colon);
  const directive = /^[ \t]*#[ \t]*(?:(include)|define[ \t]+\w+)[ \t]*(.*)$/.exec(line.slice(colon + 1));
  if (directive === null) return undefined;
  const [, include, rest = ''] = directive;
  const named = /^(["<])([^">]+)[">]/.exec(rest);
  if (named !== null) return { from, name: named[2]!, quoted: named[1] === '"' };
  if (include !== undefined) return { macros: rest.replace(/\/\*.*/, '').match(/[A-Za-z_]\w*/g) ?? [] };
  const word = /^([\w./-]+)/.exec(rest)?.[1];
  return word === undefined ? undefined : { from, name: word.endsWith('.h') ? word : `${word}.h`, quoted: false };
}
