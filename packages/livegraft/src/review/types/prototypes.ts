/** Replaced functions whose prototype changes, and who goes on with the old one. */
import { BTF_KIND, type Btf } from '@livegraft/binfmt/btf';
import type { TypeReview } from '../../bundle/review.ts';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-types.ts';
import { isGlobal } from '../../objdiff/correlate.ts';
import type { FunctionVerdict } from '../../objdiff/diff.ts';
import { baseName } from '../../objdiff/names.ts';
import { declarationsOf } from '../../patch/declarations.ts';
import { type ReviewedUnit, type ReviewSubject, replacedNames } from '../subject.ts';
import { outsideUsers } from './outside.ts';
import { type ChangedPrototype, comparePrototypes } from './prototype.ts';
import { stayingOf } from './staying.ts';
import { typeIdentity } from './type-text.ts';

interface PrototypesReviewed {
  readonly findings: readonly Diagnostic[];
  readonly types: readonly TypeReview[];
}

type Subject = Pick<ReviewSubject, 'kernel' | 'image' | 'units' | 'files'>;
type TypedUnit = ReviewedUnit & Required<Pick<ReviewedUnit, 'types'>>;

export async function reviewPrototypes(subject: Subject): Promise<PrototypesReviewed> {
  const findings: Diagnostic[] = [];
  const types: TypeReview[] = [];
  for (const unit of subject.units) {
    if (!isTyped(unit)) continue;
    for (const verdict of unit.diff.functions) {
      const changed = verdict.verdict === 'changed' ? changedPrototype(unit, verdict) : undefined;
      if (changed === undefined) continue;
      const users = await oldUsers(subject, unit, verdict, changed);
      const facts = {
        name: baseName(verdict.name),
        unit: unit.source,
        before: changed.before,
        after: changed.after,
        staying: [...users.certain, ...users.possible],
        replaced: naming(unit, verdict),
      };
      types.push(typeReviewOf(facts));
      if (facts.staying.length === 0) continue;
      const { breaks } = changed;
      const isCertain = users.certain.length > 0 && breaks.length > 0;
      findings.push((isCertain ? say.prototypeChanged : say.prototypeDoubtful)({ ...facts, breaks }));
    }
  }
  return { findings, types };
}

function isTyped(unit: ReviewedUnit): unit is TypedUnit {
  return unit.types !== undefined;
}

interface Changed extends ChangedPrototype {
  /** Ids of both FUNC_PROTOs; absent where the compiler made a clone, which pahole leaves out. */
  readonly ids?: readonly [before: number, after: number];
}

/** By BTF; for clones (`f.isra.0`) by the text, which says nothing of registers. */
function changedPrototype({ types, text }: TypedUnit, { original, patched }: FunctionVerdict): Changed | undefined {
  const name = baseName(original!.name);
  const [before, after] = [prototypeIn(types.original, original!.name), prototypeIn(types.patched, patched!.name)];
  if (before === undefined || after === undefined) {
    const [old, fresh] = [headOf(text.original, name), headOf(text.patched, name)];
    return old === fresh ? undefined : { before: old, after: fresh, breaks: [] };
  }
  const changed = comparePrototypes(name, [types.original, before], [types.patched, after]);
  return changed === undefined ? undefined : { ...changed, ids: [before, after] };
}

function prototypeIn(btf: Btf, name: string): number | undefined {
  const [id] = btf.named(BTF_KIND.FUNC, name);
  return id === undefined ? undefined : btf.type(id).type;
}

/** A definition up to its body. */
function headOf(text: string, name: string): string {
  const found = declarationsOf(text).find((each) => each.kind === 'function' && each.name === name);
  const words = found?.tokens.map((token) => token.text) ?? [];
  const head = words.slice(0, words.indexOf('{')).join(' ');
  return head.replace(/ (?=[(),])|(?<=[(*]) /g, '');
}

interface OldUsers {
  /** They call it by the old prototype. */
  readonly certain: readonly string[];
  /** It cannot be told by which they call it. */
  readonly possible: readonly string[];
}

async function oldUsers(
  subject: Subject,
  unit: TypedUnit,
  verdict: FunctionVerdict,
  { ids }: Changed,
): Promise<OldUsers> {
  const { calls, pointers, earlier } = stayingOf(unit.diff, verdict);
  const outside = isGlobal(verdict.original!) ? await outsideUsers(subject, unit, verdict.original!.name) : [];
  const known = pointerTypes(unit.types.patched);
  const [isOld, isNew] = [
    ids !== undefined && known.has(typeIdentity(unit.types.original, ids[0])),
    ids !== undefined && known.has(typeIdentity(unit.types.patched, ids[1])),
  ];
  // with a pointer of the new type alone the compiler has compared both; with one of the old type alone a cast, or a warning, led there
  const certain = isOld && !isNew ? pointers : [];
  const possible = isOld === isNew ? pointers : [];
  return { certain: [...calls, ...certain, ...outside], possible: [...possible, ...earlier] };
}

/** Types of functions that a pointer of the unit can point at. */
function pointerTypes(btf: Btf): ReadonlySet<string> {
  const found = new Set<string>();
  for (let id = 1; id <= btf.count; id++) {
    const { kind, type } = btf.type(id);
    if (kind === BTF_KIND.PTR && btf.type(type).kind === BTF_KIND.FUNC_PROTO) found.add(typeIdentity(btf, type));
  }
  return found;
}

/** Functions of the file that get replaced and name it. */
function naming(unit: TypedUnit, { name }: FunctionVerdict): string[] {
  const replaced = replacedNames(unit);
  return declarationsOf(unit.text.original)
    .filter((each) => each.kind === 'function' && each.name !== baseName(name) && replaced.has(each.name))
    .filter(({ tokens }) => tokens.some(({ text }) => text === baseName(name)))
    .map((each) => each.name);
}

function typeReviewOf({
  before,
  after,
  ...facts
}: Pick<TypeReview, 'name' | 'unit' | 'replaced' | 'staying'> & Omit<ChangedPrototype, 'breaks'>): TypeReview {
  const side = (text: string): TypeReview['before'] => ({ size: 0, fields: [], text });
  return { kind: 'function', before: side(before), after: side(after), ...facts };
}
