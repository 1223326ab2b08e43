/** What a patch means for a live patch: which units are compiled, which files do not matter, and what must be refused. */
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import {
  assemblyChange,
  buildSystemChange,
  copyOutside,
  fileIgnored,
  includedSource,
  newUnit,
  nothingToPatch,
  outsideRunningKernel,
  unitRemoved,
  unsupportedFile,
} from '../diagnostics/patch.ts';
import type { SourceIncludes } from './includes.ts';
import { showPath } from './paths.ts';
import type { Patch, PatchFile } from './types.ts';

export interface PatchScope {
  /** The .c files to compile, sorted: those that the patches change, or that include one they change. */
  readonly units: readonly string[];
  /** The files to change, sorted: `applyPatches` takes them as `paths`. */
  readonly changed: readonly string[];
  /** The headers among them: which units include those is found later. */
  readonly headers: readonly string[];
  /** Notes and warnings. */
  readonly findings: readonly Diagnostic[];
}

/** What one file is: to be compiled, of no consequence, or a reason to refuse. */
type Verdict =
  | { readonly kind: 'unit' | 'header' }
  | { readonly kind: 'ignored'; readonly why: string }
  | { readonly kind: 'refused'; readonly finding: Diagnostic };

/**
 * Decides by path and kind of change; reads nothing. Code that ftrace cannot reach for other reasons is found later, in the shipped code.
 * @param includes which .c files of the source include others (`readSourceIncludes`)
 * @param arch kbuild's SRCARCH
 * @throws LivegraftError with one diagnostic for each file that stands in the way (exit 4), or `nothing-to-patch` (exit 3)
 */
export function scopePatches(patches: readonly Patch[], includes: SourceIncludes, arch = 'x86'): PatchScope {
  const findings: Diagnostic[] = [];
  const refusals: Diagnostic[] = [];
  const changed = new Set<string>();
  const headers = new Set<string>();
  const units = new Set<string>();
  for (const file of patches.flatMap((patch) => patch.files)) {
    const verdict = judge(file, arch);
    const path = showPath(file.path);
    if (verdict.kind === 'refused') refusals.push(verdict.finding);
    else if (verdict.kind === 'ignored') findings.push(fileIgnored({ path, why: verdict.why }));
    else (verdict.kind === 'header' ? headers : changed).add(file.path);
  }
  for (const path of changed) {
    const { own, others } = unitsOf(path, includes);
    if (own) units.add(path);
    for (const unit of others) {
      const part = partOutside(unit, arch);
      if (part?.includes('vDSO')) refusals.push(outsideRunningKernel({ path, part: `${part} (${unit} includes it)` }));
      else if (part !== undefined) findings.push(copyOutside({ path, unit, part }));
      else if (ignoredFolder(unit, arch) === undefined) units.add(unit);
    }
    const compiled = others.filter((unit) => units.has(unit));
    if (compiled.length > 0) findings.push(includedSource({ path, units: compiled }));
  }
  const [first, ...more] = refusals;
  if (first !== undefined) throw new LivegraftError(first, ...more, ...findings);
  if (changed.size + headers.size === 0) {
    throw new LivegraftError(nothingToPatch({ patch: patches.map((patch) => patch.name).join(', ') }), ...findings);
  }
  return {
    units: [...units].sort(),
    changed: [...changed, ...headers].sort(),
    headers: [...headers].sort(),
    findings,
  };
}

function judge(file: PatchFile, arch: string): Verdict {
  const path = showPath(file.path);
  const why = ignoredFolder(file.path, arch) ?? ignoredFile(file.path);
  if (why !== undefined) return { kind: 'ignored', why };
  if (file.change === 'modify' && file.hunks.length === 0) return { kind: 'ignored', why: 'only its mode changes' };
  const refused = (finding: Diagnostic): Verdict => ({ kind: 'refused', finding });
  const name = file.path.slice(file.path.lastIndexOf('/') + 1);
  if (/^(Makefile|Kbuild|Kconfig|Platform)([._-].*)?$|\.mk$/.test(name)) return refused(buildSystemChange({ path }));
  const part = partOutside(file.path, arch);
  if (part !== undefined) return refused(outsideRunningKernel({ path, part }));
  if (/\.(S|s|lds|ld)$/.test(name)) return refused(assemblyChange({ path }));
  if (!/\.[ch]$/.test(name)) return refused(unsupportedFile({ path }));
  const header = name.endsWith('.h');
  if (file.change === 'create') return header ? { kind: 'header' } : refused(newUnit({ path }));
  if (file.change !== 'modify') return refused(unitRemoved({ path, change: file.change }));
  return { kind: header ? 'header' : 'unit' };
}

/** Folders that have no part in the kernel's code; undefined for all others. */
function ignoredFolder(path: string, arch: string): string | undefined {
  const [top = '', second = ''] = path.split('/');
  if (path.startsWith('arch/') && second !== arch && second !== 'Kconfig')
    return `it is for another architecture (${second})`;
  if (path.startsWith(`arch/${arch}/um/`)) return 'it is for user-mode Linux';
  if (path.startsWith(`arch/${arch}/tools/`)) return 'it is a tool of the build';
  if (path.startsWith(`arch/${arch}/configs/`)) return 'it is a default configuration';
  if (top === 'Documentation' || top === 'LICENSES') return 'it is documentation';
  if (top === 'debian') return "it is the distribution's packaging";
  if (top === 'tools' || top === 'samples' || top === 'scripts' || top === 'usr')
    return 'it is not part of the kernel itself';
  return undefined;
}

function ignoredFile(path: string): string | undefined {
  if (/(^|\/)(MAINTAINERS|CREDITS|COPYING|README|TODO|CODEOWNERS)$|\.(rst|txt|md)$/.test(path))
    return 'it is documentation';
  if (/(^|\/)\.[^/]*$/.test(path)) return 'it is no source file';
  return undefined;
}

/** Code that is built with the kernel but does not run in it as ordinary kernel text; what it is, in words. */
export function partOutside(path: string, arch: string): string | undefined {
  const parts: readonly [string, string][] = [
    [`arch/${arch}/boot/`, 'the boot loader part (decompressor)'],
    [`arch/${arch}/realmode/`, 'the real-mode trampoline'],
    [`arch/${arch}/purgatory/`, "kexec's purgatory"],
    [`arch/${arch}/entry/vdso/`, 'the vDSO, which runs in user space'],
    ['lib/vdso/', 'the vDSO, which runs in user space'],
    ['drivers/firmware/efi/libstub/', 'the EFI stub, which runs before the kernel'],
  ];
  return parts.find(([prefix]) => path.startsWith(prefix))?.[1];
}

/** Whether a .c file is a unit itself, and the units that include it, directly or through others. */
function unitsOf(path: string, includes: SourceIncludes): { own: boolean; others: string[] } {
  const seen = new Set<string>();
  const found = new Set<string>();
  const visit = (one: string): void => {
    for (const includer of includes.includersOf(one)) {
      if (seen.has(includer)) continue;
      seen.add(includer);
      if (includer.endsWith('.c') && includes.isUnit(includer)) found.add(includer);
      visit(includer);
    }
  };
  visit(path);
  found.delete(path);
  return { own: found.size === 0 || includes.isUnit(path), others: [...found].sort() };
}
