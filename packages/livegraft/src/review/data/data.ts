/** Data and its life cycle: what comes along, with which first value, and what becomes of it when the livepatch goes. */
import { SHF } from '@livegraft/binfmt/elf/constants';
import type { DataReview } from '../../bundle/review.ts';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-data.ts';
import type { Piece } from '../../klp/piece.ts';
import type { ChangedUnit } from '../../klp/unit.ts';
import type { Atom } from '../../objdiff/atoms.ts';
import { coldParent, isNumbered, isOnceFlag, stem } from '../../objdiff/names.ts';
import type { ReviewSubject } from '../subject.ts';
import { shadowVariables } from './shadow.ts';
import { firstValue } from './value.ts';

export interface DataReviewed {
  readonly findings: readonly Diagnostic[];
  readonly data: readonly DataReview[];
}

export function reviewData(subject: ReviewSubject): DataReviewed {
  const { extraction } = subject;
  const shadows = shadowVariables(subject);
  const found = extraction.data.flatMap(({ unit, name, section }) => {
    const atom = unit.diff.patched.object.atoms.find((each) => each.name === name && each.section.name === section);
    return atom === undefined ? [] : [{ unit, atom, review: reviewOf(unit, atom) }];
  });
  const kept = found.filter(({ atom, review }) => isWritable(atom) && review.kind !== 'once-flag');
  return {
    data: [...found.map(({ review }) => review), ...shadows],
    findings: [
      ...withoutNumber(extraction, shadows.length > 0),
      ...(kept.length === 0 ? [] : [say.dataOfItsOwn({ names: kept.map(({ atom }) => stem(atom.name)) })]),
    ],
  };
}

function reviewOf(unit: ChangedUnit, atom: Atom): DataReview {
  const { object } = unit.diff.patched;
  const user = object.atoms.find(
    (each) =>
      each.kind === 'function' &&
      object.references(each).some(({ target }) => target.kind === 'atom' && target.atom === atom),
  );
  const kind = isOnceFlag(atom.name) ? 'once-flag' : isNumbered(atom.name) ? 'static-local' : 'variable';
  return {
    name: atom.name,
    unit: unit.source,
    kind,
    ...(kind === 'variable' || user === undefined ? {} : { function: coldParent(user.name) ?? user.name }),
    size: atom.size,
    section: atom.section.name,
    initial: firstValue(object, atom),
    fate: fateOf(atom, kind),
  };
}

/** Pointers to the texts of tracepoints (tracepoint_string(), include/linux/tracepoint.h) are set once and for all. */
function isWritable({ section }: Atom): boolean {
  const { flags, name } = section;
  return (flags & SHF.WRITE) !== 0 && !name.startsWith('.data.rel.ro') && name !== '__tracepoint_str';
}

function fateOf(atom: Atom, kind: DataReview['kind']): string {
  if (!isWritable(atom)) return 'is only read';
  if (kind === 'once-flag') return 'starts again with each load: the message may come once more';
  return 'starts anew with each load; lost with a revert or a replacement';
}

/** Callbacks that go in and shadow variables change what the kernel has. */
function withoutNumber({ callbacks, states, replaced }: ReviewSubject['extraction'], shadows: boolean): Diagnostic[] {
  if (states.length > 0) return [];
  const entering = callbacks.filter(
    ({ kind, piece }) => (kind === 'pre_patch' || kind === 'post_patch') && reachesKernel(piece),
  );
  const leaving = callbacks.some(
    ({ kind, piece }) => (kind === 'pre_unpatch' || kind === 'post_unpatch') && reachesKernel(piece),
  );
  // what nothing undoes is either harmless or left on purpose; a pair of them converts
  if (!shadows && (entering.length === 0 || !leaving)) return [];
  const what = shadows ? 'shadow variables' : entering.map(({ name }) => `${name}()`).join(', ');
  const concerned = shadows ? [...replaced, ...callbacks] : entering;
  const units = [...new Set(concerned.map(({ unit }) => unit.source))];
  return [say.stateWithoutNumber({ units, what })];
}

/** What a function refers to that only prints messages. */
const idle =
  /^(_printk|_dev_\w+|__fentry__|__x86_return_thunk|__stack_chk_fail|___ratelimit|__warn_printk|dump_stack|fortify_panic)$/;

/** Whether a function, or a new one that it calls, refers to anything of the kernel but the means to print. */
function reachesKernel(start: Piece): boolean {
  const seen = new Set([start]);
  for (const piece of seen) {
    for (const { target } of piece.relocations) {
      if (target.kind === 'piece') seen.add(target.piece);
      else if (!idle.test(target.name)) return true;
    }
  }
  return false;
}
