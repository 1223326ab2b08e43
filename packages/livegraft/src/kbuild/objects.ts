/** From patches to objects: which units they touch, and each unit's shipped, original and patched object. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Btf } from '@livegraft/binfmt/btf';
import { readElf } from '@livegraft/binfmt/elf/read';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { headerUnused } from '../diagnostics/kbuild.ts';
import { exportChanged } from '../diagnostics/objdiff.ts';
import type { Kernel } from '../kernel/types.ts';
import { applyPatches, type PatchedFile } from '../patch/apply.ts';
import { sameInterface } from '../patch/changes.ts';
import { readIncludeGraph } from '../patch/include-graph.ts';
import { readSourceIncludes } from '../patch/includes.ts';
import { localChange } from '../patch/local-change.ts';
import { type PatchScope, scopePatches } from '../patch/scope.ts';
import type { Patch } from '../patch/types.ts';
import type { Progress } from '../support/progress.ts';
import { type CompileRequest, compileUnits } from './compile.ts';
import { exportVersions } from './export-versions.ts';
import { findUnits } from './find-unit.ts';
import { candidatesOf, compileHeaderUnits, type HeaderUnits } from './headers.ts';
import { inPool } from './pool.ts';
import { openDependences } from './preprocess.ts';
import { includesCache } from './ready.ts';
import { climbingFolders, type PatchedTree, withPatchedTree } from './tree.ts';
import { unitTypes } from './type-info.ts';
import type { Unit } from './types.ts';
import { readUnitIndex, sourceOf } from './unit-index.ts';

export interface UnitObjects {
  readonly unit: Unit;
  /** The original with exactly the shipped flags: to be compared with the shipped code. */
  readonly proof: Uint8Array;
  /** Original and patched with a section for each function and object: to be compared with each other. */
  readonly original: Uint8Array;
  readonly patched: Uint8Array;
  /** Types of both sides; absent where nothing but bodies of functions changes, which cannot change a type. */
  readonly types?: { readonly original: Btf; readonly patched: Btf };
}

export interface PatchedUnits {
  readonly units: readonly UnitObjects[];
  readonly files: ReadonlyMap<string, PatchedFile>;
  /** Notes and warnings of all steps. */
  readonly findings: readonly Diagnostic[];
}

export interface PatchedUnitsRequest {
  readonly kernel: Kernel;
  readonly patches: readonly Patch[];
  /** Whether the differ sees a change that matters: units that only include a changed header are left out without one. Default: any byte. */
  readonly differs?: (source: string, original: Uint8Array, patched: Uint8Array) => boolean;
  /** A folder for temporary files; nothing stays in it. */
  readonly scratch: string;
  /** Where objects are kept; default `objectCacheFolder()`. */
  readonly cache?: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** @throws LivegraftError of every step: see `scopePatches`, `applyPatches`, `findUnits`, `compileUnit`, `compileHeaderUnits` */
export async function compilePatchedUnits(request: PatchedUnitsRequest): Promise<PatchedUnits> {
  const { kernel, patches, scratch, progress } = request;
  const signal = request.signal === undefined ? {} : { signal: request.signal };
  const { source } = kernel.paths;
  const { scope, applied } = await progress.step('Apply the patch to the source', async () => {
    const includes = await readSourceIncludes(source, includesCache(kernel), signal);
    const scope = scopePatches(patches, includes);
    const applied = await applyPatches({ patches, source, paths: new Set(scope.changed), scratch, ...signal });
    return { scope, applied };
  });
  const found = await progress.step('Ask kbuild how the units are compiled', (inner) =>
    findUnits(kernel, scope.units, scope.changed, { progress: inner, ...signal }),
  );
  const { files } = applied;
  const headers = scope.headers.length === 0 ? undefined : await prepareHeaders(request, scope, files);
  const climbing = found.units.flatMap((unit) => climbingFolders(unit, source));
  const texts = new Map([...files].map(([path, file]) => [path, file.marked]));
  const work = async (tree: PatchedTree): Promise<HeaderUnits> => {
    const own = await compileOwn(request, found.units, tree);
    const more = await headers?.compile(tree);
    const compiled = [...own, ...(more?.units ?? [])];
    if ([...files.values()].every(({ original, patched }) => sameInterface(original, patched)))
      return { units: compiled, findings: more?.findings ?? [] };
    const exports = await exportFindings(request, compiled, tree);
    const units = await progress.step('Compare the layout of types', () => withTypes(request, compiled, tree));
    return { units, findings: [...(more?.findings ?? []), ...exports] };
  };
  const compiled = await withPatchedTree(source, scratch, texts, work, [...climbing, ...(headers?.folders ?? [])]);
  const findings = [...scope.findings, ...applied.findings, ...found.findings];
  if (compiled.units.length === 0) {
    throw new LivegraftError(headerUnused({ headers: scope.headers.join(', ') }), ...findings, ...compiled.findings);
  }
  return { units: compiled.units, files, findings: [...findings, ...compiled.findings] };
}

/** The units that the patch changes itself, each three times. */
function compileOwn(request: PatchedUnitsRequest, units: readonly Unit[], tree: PatchedTree): Promise<UnitObjects[]> {
  const { kernel, progress } = request;
  if (units.length === 0) return Promise.resolve([]);
  const common = {
    kernel,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
    ...(request.cache === undefined ? {} : { cache: request.cache }),
  };
  return progress.step(`Compile ${units.map((unit) => unit.source).join(', ')}`, async (inner) => {
    const requests = units.flatMap((unit): CompileRequest[] => [
      { ...common, unit, variant: 'pair', tree },
      { ...common, unit, variant: 'pair' },
      { ...common, unit, variant: 'proof' },
    ]);
    let done = 0;
    const compiled = await compileUnits(requests, () => inner.detail(`${++done} of ${requests.length} objects`));
    return units.map((unit, i) => {
      const [patched, original, proof] = compiled.slice(3 * i, 3 * i + 3);
      return { unit, proof: proof!.object, original: original!.object, patched: patched!.object };
    });
  });
}

/** What must be known of the changed headers before the patched tree is made. */
async function prepareHeaders(
  request: PatchedUnitsRequest,
  scope: PatchScope,
  files: ReadonlyMap<string, PatchedFile>,
): Promise<{ readonly folders: readonly string[]; compile(tree: PatchedTree): Promise<HeaderUnits> }> {
  const { kernel, progress, scratch, differs = () => true } = request;
  const { headers } = scope;
  const signal = request.signal === undefined ? {} : { signal: request.signal };
  const index = await readUnitIndex(kernel, { progress, ...signal });
  const graph = await progress.step('Read which files include which', () =>
    readIncludeGraph(kernel.paths, join(kernel.dir, 'include-graph.json'), signal),
  );
  const candidates = candidatesOf(index, graph, headers, new Set(scope.units), kernel.paths.source);
  const climbing = [...candidates.reached].filter((path) => graph.climbing.has(path)).map((path) => dirname(path));
  const all = [...candidates.units, ...candidates.outside, ...candidates.texts];
  const commanded = all.flatMap((one) => climbingFolders(sourceOf(one), kernel.paths.source));
  const marked = new Map([...files].map(([path, file]) => [path, file.marked]));
  const dependences = await openDependences(kernel, scratch, marked);
  const created = request.patches.flatMap(({ files }) => files.filter((file) => file.change === 'create'));
  const added = new Set(created.map((file) => file.path));
  return {
    folders: [...new Set([...climbing, ...commanded])].filter((folder) =>
      existsSync(join(kernel.paths.source, folder)),
    ),
    compile: (tree) => {
      const cache = request.cache === undefined ? {} : { cache: request.cache };
      const names = namesOf(scope, files, added);
      return compileHeaderUnits({
        kernel,
        candidates,
        headers,
        added,
        ...(names === undefined ? {} : { names }),
        tree,
        dependences,
        scratch,
        differs,
        progress,
        ...cache,
        ...signal,
      });
    },
  };
}

/** What code must mention to depend on the headers' change; undefined when it may depend on it in other ways. */
function namesOf(
  { headers, changed }: PatchScope,
  files: ReadonlyMap<string, PatchedFile>,
  added: ReadonlySet<string>,
): ReadonlySet<string> | undefined {
  // what a unit includes besides may have changed with it
  if (added.size > 0 || headers.length < changed.length) return undefined;
  const all = headers.map((header) => localChange(files.get(header)!.original, files.get(header)!.patched));
  return all.includes(undefined) ? undefined : new Set(all.flatMap((names) => [...(names ?? [])]));
}

/** Exports whose version changes, in the units whose code does. */
async function exportFindings(
  { kernel, scratch, signal }: PatchedUnitsRequest,
  units: readonly UnitObjects[],
  tree: PatchedTree,
): Promise<Diagnostic[]> {
  const exporting = units.filter(({ original }) =>
    readElf(original).sections.some(({ name }) => /^___ksymtab(_gpl)?\+/.test(name)),
  );
  const work = async ({ unit }: UnitObjects, aborted: AbortSignal): Promise<Diagnostic[]> => {
    const request = { kernel, unit, scratch, signal: aborted };
    const [before, after] = await Promise.all([exportVersions(request), exportVersions({ ...request, tree })]);
    return [...before].flatMap(([name, version]) => {
      const now = after.get(name);
      if (now === undefined || now === version) return [];
      return [exportChanged({ unit: unit.source, name, before: version, after: now })];
    });
  };
  return (await inPool(exporting, work, signal)).flat();
}

function withTypes(
  { kernel, scratch, cache, signal }: PatchedUnitsRequest,
  units: readonly UnitObjects[],
  tree: PatchedTree,
): Promise<UnitObjects[]> {
  const work = async (objects: UnitObjects, aborted: AbortSignal): Promise<UnitObjects> => {
    const { unit } = objects;
    const request = { kernel, unit, scratch, signal: aborted, ...(cache === undefined ? {} : { cache }) };
    const [original, patched] = await Promise.all([unitTypes(request), unitTypes({ ...request, tree })]);
    return { ...objects, types: { original, patched } };
  };
  return inPool(units, work, signal);
}
