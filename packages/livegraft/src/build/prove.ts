/**
 * Before the diff is believed: the rebuilt unit is the code that was shipped, all of it, and ftrace can reach what gets replaced.
 * All of it, since a function may have been inlined into any other, and since one difference shows that compiler, flags,
 * configuration or source are not the ones the kernel was built with.
 */
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { notTraceable } from '../diagnostics/klp.ts';
import * as say from '../diagnostics/provenance.ts';
import type { Diff } from '../objdiff/diff.ts';
import { coldParent } from '../objdiff/names.ts';
import type { FunctionProof, Placement } from '../provenance/place.ts';
import type { ShippedObject } from '../provenance/shipped.ts';

/** Throws LivegraftError with a reason for each function that is not what runs, or that cannot be replaced. */
export function proveUnit(unit: string, diff: Diff, placement: Placement, shipped: ShippedObject): void {
  const problems: Diagnostic[] = [];
  const replaced = new Set(diff.functions.filter((f) => f.verdict === 'changed').map((f) => f.original!.name));
  const seen = new Set<string>();
  for (const atom of placement.proof?.atoms ?? []) {
    // code of start-up and exit is gone, or not in the image at all
    if (atom.kind !== 'function' || atom.role === 'once') continue;
    const proof = placement.functions.get(atom.name)!;
    seen.add(atom.name);
    const isReplaced = replaced.has(atom.name) || replaced.has(coldParent(atom.name) ?? '');
    if (proof.state === 'equal') {
      if (replaced.has(atom.name) && !shipped.traceable(proof.address))
        problems.push(notTraceable({ unit, function: atom.name, object: shipped.name }));
    } else if (proof.state !== 'overridden' || isReplaced) problems.push(explain(unit, proof, shipped.name));
  }
  for (const name of replaced)
    if (!seen.has(name)) problems.push(say.functionAbsent({ unit, function: name, object: shipped.name }));
  const [first, ...more] = problems;
  if (first !== undefined) throw new LivegraftError(first, ...more);
}

/** How each function compares, once `proveUnit` has let the unit pass; code of start-up and exit is not in every shipped object. */
export function provenanceOf(placement: Placement): Record<string, 'equal' | 'overridden' | 'start-up'> {
  return Object.fromEntries(
    [...placement.functions.values()].map(({ name, state }) => [
      name,
      state === 'equal' || state === 'overridden' ? state : 'start-up',
    ]),
  );
}

function explain(unit: string, proof: FunctionProof, object: string): Diagnostic {
  const where = { unit, function: proof.name, object };
  switch (proof.state) {
    case 'bytes-differ':
      return say.codeDiffers({ ...where, offset: proof.offset, rebuilt: proof.rebuilt, shipped: proof.shipped });
    case 'reference-differs':
      return say.referenceDiffers({ ...where, offset: proof.offset, rebuilt: proof.rebuilt, shipped: proof.shipped });
    case 'overridden':
      return say.functionOverridden(where);
    case 'absent':
    case 'equal':
      return say.functionAbsent(where);
  }
}
