/** From patches to objects: which units they touch, and each unit's shipped, original and patched object. */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Kernel } from '../kernel/types.ts';
import { applyPatches, type PatchedFile } from '../patch/apply.ts';
import { readSourceIncludes } from '../patch/includes.ts';
import { scopePatches } from '../patch/scope.ts';
import type { Patch } from '../patch/types.ts';
import type { Progress } from '../support/progress.ts';
import { findUnits } from './command.ts';
import { type CompileRequest, compileUnits } from './compile.ts';
import { includesCache } from './ready.ts';
import { withPatchedTree } from './tree.ts';
import type { Unit } from './types.ts';

export interface UnitObjects {
  readonly unit: Unit;
  /** The original with exactly the shipped flags: to be compared with the shipped code. */
  readonly proof: Uint8Array;
  /** Original and patched with a section for each function and object: to be compared with each other. */
  readonly original: Uint8Array;
  readonly patched: Uint8Array;
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
  /** A folder for temporary files; nothing stays in it. */
  readonly scratch: string;
  /** Where objects are kept; default `objectCacheFolder()`. */
  readonly cache?: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** @throws LivegraftError of every step: see `scopePatches`, `applyPatches`, `findUnits`, `compileUnit` */
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
  const found = await progress.step('Ask kbuild how the units are compiled', () =>
    findUnits(kernel, scope.units, scope.changed, request.signal),
  );
  const texts = new Map([...applied.files].map(([path, file]) => [path, file.marked]));
  const units = await withPatchedTree(source, scratch, texts, (tree) =>
    progress.step(`Compile ${found.units.map((unit) => unit.source).join(', ')}`, async (inner) => {
      const common = { kernel, ...signal, ...(request.cache === undefined ? {} : { cache: request.cache }) };
      const requests = found.units.flatMap((unit): CompileRequest[] => [
        { ...common, unit, variant: 'pair', tree },
        { ...common, unit, variant: 'pair' },
        { ...common, unit, variant: 'proof' },
      ]);
      let done = 0;
      const compiled = await compileUnits(requests, () => inner.detail(`${++done} of ${requests.length} objects`));
      return found.units.map((unit, i) => {
        const [patched, original, proof] = compiled.slice(3 * i, 3 * i + 3);
        return { unit, proof: proof!.object, original: original!.object, patched: patched!.object };
      });
    }),
  );
  return { units, files: applied.files, findings: [...scope.findings, ...applied.findings, ...found.findings] };
}
