/**
 * Which functions the compiler put into which, as gcc itself reports it. The unit is compiled once more for it, to assembly that
 * nobody keeps: the options change no code, but objects come from a cache that has no reports. -fopt-info-inline-optimized (gcc 9)
 * has the early inliner, but not the functions that are inlined because they are called once; the inliner's dump has those.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kernel } from '../kernel/types.ts';
import { tryRun } from '../support/exec.ts';
import { withTemporaryFolder } from '../support/files.ts';
import { type PatchedTree, patchedCommand } from './tree.ts';
import type { Unit } from './types.ts';

export interface InliningRequest {
  readonly kernel: Kernel;
  readonly unit: Unit;
  /** The patched source; absent: the kernel's own. */
  readonly tree?: PatchedTree;
  /** A folder for temporary files; nothing stays in it. */
  readonly scratch: string;
  readonly signal?: AbortSignal;
}

export interface Inlinings {
  /** Function → those whose bodies went into it, without the compiler's suffixes: a clone counts as its function. */
  readonly into: ReadonlyMap<string, ReadonlySet<string>>;
  /** Files of the source tree in which such calls stand. */
  readonly files: readonly string[];
}

/** Empty where the compiler cannot say: the report explains a verdict, and decides nothing. */
export function inliningsOf({ kernel, unit, tree, scratch, signal }: InliningRequest): Promise<Inlinings> {
  const { source, build } = kernel.paths;
  const root = tree?.root ?? source;
  const [compiler, ...words] =
    tree === undefined ? unit.command.compile : patchedCommand(unit.command.compile, source, tree);
  return withTemporaryFolder(scratch, async (folder) => {
    const reports = [join(folder, 'inlined'), join(folder, 'copies')];
    const asked = [`-fopt-info-inline-optimized=${reports[0]}`, `-fdump-ipa-inline=${reports[1]}`];
    const flags = ['-g0', '-ffunction-sections', '-fdata-sections', '-w', ...asked];
    await tryRun(compiler!, [...words, ...flags, '-S', '-o', '/dev/null', join(root, unit.source)], {
      cwd: build,
      group: true,
      env: { TMPDIR: folder },
      ...(signal === undefined ? {} : { signal }),
    });
    const texts = await Promise.all(reports.map((report) => readFile(report, 'latin1').catch(() => '')));
    return parseInlinings(texts.join('\n'), [root, source]);
  });
}

/**
 * Lines like `fs/a.c:12:3: optimized:  Inlining f/12 into g/34.` (early) and `… Inlined f/12 into g/34 which now has time …`; of the
 * dump `  Function f.isra/12 is inline copy in g/34`.
 * @param roots source trees that file names are shown relative to
 */
export function parseInlinings(text: string, roots: readonly string[]): Inlinings {
  const into = new Map<string, Set<string>>();
  const files = new Set<string>();
  for (const line of text.split('\n')) {
    const match =
      /^(?:(.+?):\d+:\d+: )?optimized:\s+Inlin(?:ing|ed) (\S+)\/\d+ into (\S+)\/\d+\b/.exec(line) ??
      /^()\s*Function (\S+)\/\d+ is inline copy in (\S+)\/\d+$/.exec(line);
    if (match === null) continue;
    const [, file, inner = '', outer = ''] = match;
    const [name, home] = [plain(inner), plain(outer)];
    if (name !== home) into.set(home, (into.get(home) ?? new Set()).add(name));
    const root = roots.find((each) => file?.startsWith(`${each}/`));
    if (root !== undefined) files.add(file!.slice(root.length + 1));
    else if (file !== undefined && file !== '' && !file.startsWith('/')) files.add(file.replace(/^\.\//, ''));
  }
  return { into, files: [...files].sort() };
}

/** `f.part.0` → `f` */
function plain(name: string): string {
  return name.replace(/\..*$/, '');
}
