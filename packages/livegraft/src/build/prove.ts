/** Before the diff is believed: each replaced function's rebuilt original is the code that was shipped, and ftrace can reach it there. */
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { notTraceable } from '../diagnostics/klp.ts';
import * as say from '../diagnostics/provenance.ts';
import type { Diff } from '../objdiff/diff.ts';
import { coldParent } from '../objdiff/names.ts';
import type { FunctionProof, Placement } from '../provenance/place.ts';
import type { ShippedObject } from '../provenance/shipped.ts';

/** Throws LivegraftError with a reason for each function that is to be replaced and is not what runs, or cannot be replaced. */
export function proveReplaced(unit: string, diff: Diff, placement: Placement, shipped: ShippedObject): void {
  const problems: Diagnostic[] = [];
  for (const verdict of diff.functions.filter((f) => f.verdict === 'changed')) {
    const { name } = verdict.original!;
    const parts = [name, ...[...placement.functions.keys()].filter((other) => coldParent(other) === name)];
    const wrong = parts.map((part) => placement.functions.get(part)).find((proof) => proof?.state !== 'equal');
    const own = placement.functions.get(name);
    if (own === undefined || wrong !== undefined) {
      problems.push(
        own === undefined
          ? say.functionAbsent({ unit, function: name, object: shipped.name })
          : explain(unit, wrong!, shipped.name),
      );
    } else if (own.state === 'equal' && !shipped.traceable(own.address)) {
      problems.push(notTraceable({ unit, function: name, object: shipped.name }));
    }
  }
  const [first, ...more] = problems;
  if (first !== undefined) throw new LivegraftError(first, ...more);
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
