/** What the two objects alone say about why a function is not as it was. */
import type { Atom, Target } from '../atoms.ts';
import type { FunctionVerdict } from '../diff.ts';
import { baseName, coldParent, stem } from '../names.ts';
import type { Cause } from './cause.ts';
import { type Context, type Divergence, sameBytes } from './context.ts';
import { nameOperand } from './listing.ts';
import { nameAtom } from './names.ts';

/** A chain of one or two links; empty for unchanged functions, and for others where the objects say nothing. */
export function objectCauses(
  context: Context,
  verdict: FunctionVerdict,
  divergence: Divergence | undefined,
): readonly Cause[] {
  switch (verdict.verdict) {
    case 'unchanged':
      return [];
    case 'new':
      return causesOfNew(context, verdict.patched!);
    case 'removed':
      return context.has(verdict.name, 'new') ? [{ kind: 'unreachable' }] : [];
    case 'changed':
      return causesOfChanged(context, verdict, divergence);
  }
}

function causesOfNew(context: Context, atom: Atom): readonly Cause[] {
  if (context.has(atom.name, 'removed')) return [{ kind: 'unreachable' }];
  const base = baseName(atom.name);
  if (base !== atom.name && context.before(base) !== undefined) return [{ kind: 'clone', name: base }];
  const user = context.userOf(atom);
  if (user === undefined) return [];
  return [
    {
      kind: 'used-by',
      name:
        user.kind === 'function'
          ? `${coldParent(user.name) ?? user.name}()`
          : nameAtom(context.diff.patched.object, user),
    },
  ];
}

function causesOfChanged(
  context: Context,
  { name, original, patched, why, forced }: FunctionVerdict,
  divergence: Divergence | undefined,
): readonly Cause[] {
  if (forced !== undefined) return [{ kind: 'forced', reason: forced }];
  const { difference, part } = why!;
  const base = baseName(name);
  if (base !== name && context.has(base, 'changed'))
    return [
      { kind: 'clone', name: base },
      { kind: 'code', offset: difference.offset },
    ];
  if (difference.what === 'section')
    return [{ kind: 'section', before: original!.section.name, after: patched!.section.name }];
  if (difference.what === 'table') return [{ kind: 'table', table: difference.table }];
  if (part !== undefined && (context.after(part) === undefined || context.before(part) === undefined))
    return [{ kind: 'part', name: part, comes: context.after(part) !== undefined }];
  const { left, right, index } = divergence ?? { left: [], right: [], index: 0 };
  const [one, other] = [left[index], right[index]];
  const code: Cause = {
    kind: 'code',
    offset: (one ?? other)?.offset ?? difference.offset,
    ...(part === undefined ? {} : { part }),
  };
  if (one === undefined || other === undefined || !sameBytes(context, divergence!)) return [code];
  const { comparison, diff } = context;
  for (const [i, reference] of one.references.entries()) {
    const counterpart = other.references[i]!;
    if (comparison.sameTarget(reference.target, counterpart.target)) continue;
    const earlier = nameOperand(diff.original.object, one, reference);
    const later = nameOperand(diff.patched.object, other, counterpart);
    return referenceCauses(context, reference.target, counterpart.target, earlier, later);
  }
  return [code];
}

function referenceCauses(context: Context, earlier: Target, later: Target, before: string, after: string): Cause[] {
  const other: Cause = { kind: 'reference', before, after };
  if (earlier.kind !== 'atom' || later.kind !== 'atom') return [other];
  const [a, b] = [earlier.atom, later.atom];
  if (a.kind === 'string' && b.kind === 'string') return [{ ...other, kind: 'string' }];
  const sameName = a.kind === b.kind && stem(a.name) === stem(b.name);
  if (sameName && b.kind === 'function' && context.has(b.name, 'new') && context.has(b.name, 'removed'))
    return [
      { kind: 'beyond-ftrace', name: b.name },
      { kind: 'code', offset: 0 },
    ];
  if (sameName && b.kind !== 'function' && !context.comparison.sameContent(a, b)) {
    const { object } = context.diff.patched;
    return [{ kind: b.role === 'data' ? 'data' : 'constant', name: nameAtom(object, b) }];
  }
  return [other];
}
