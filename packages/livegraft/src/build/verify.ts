/** Has the finished module proved by the independent checker, with nothing but files and the manifest's own words. */
import type { Manifest } from '../bundle/manifest.ts';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import type { UnitObjects } from '../kbuild/objects.ts';
import { readBuiltins, readModule, resolveModules } from '../kernel/modules.ts';
import type { Kernel } from '../kernel/types.ts';
import { verifyModule } from '../verify/verify.ts';
import type { ShippedObjects } from './shipped-objects.ts';

export interface Verified {
  /** For the manifest; absent when the kernel has nothing to check by. */
  readonly verified?: NonNullable<Manifest['verified']>;
  readonly findings: readonly Diagnostic[];
}

/** Throws LivegraftError `module-not-loadable`, `module-wrong` (exit 1): the module must not leave this program. */
export async function verifyBuilt(
  kernel: Kernel,
  { image, modules: index }: ShippedObjects,
  objects: readonly UnitObjects[],
  module: Uint8Array,
  { functions, callbacks = [] }: Pick<Manifest, 'functions' | 'callbacks'>,
  signal?: AbortSignal,
): Promise<Verified> {
  const targets = [...new Set([...functions, ...callbacks].map(({ object }) => object))].filter(
    (object) => object !== 'vmlinux',
  );
  const modules = new Map<string, Uint8Array>();
  if (targets.length > 0) {
    for (const { name } of resolveModules(kernel.name, index, await readBuiltins(kernel), targets))
      modules.set(name, await readModule(kernel, name, signal));
  }
  const units = objects.map(({ unit, proof, original, patched }) => ({
    source: unit.source,
    object: unit.klpObject,
    proof,
    original,
    patched,
  }));
  const { vermagic } = kernel.facts;
  const { functions: counts, problems } = verifyModule({ module, image, modules, vermagic, functions, units });
  const [first, ...more] = problems.filter((problem) => problem.severity === 'error');
  if (first !== undefined) throw new LivegraftError(first, ...more);
  if (counts.length === 0) return { findings: problems };
  const sum = (of: (count: (typeof counts)[number]) => number): number =>
    counts.reduce((all, each) => all + of(each), 0);
  return {
    verified: {
      functions: counts.length,
      instructions: sum((each) => each.instructions),
      references: sum((each) => each.references),
      undecided: sum((each) => each.undecided.length),
    },
    findings: problems,
  };
}
