/** Shadow variables that new code makes: their number and size stand in the calls (kernel/livepatch/shadow.c). */
import type { DataReview } from '../../bundle/review.ts';
import { KernelCode } from '../leaving/code.ts';
import { stepsOf } from '../leaving/steps.ts';
import type { ReviewSubject } from '../subject.ts';

/** void *klp_shadow_alloc(void *obj, unsigned long id, size_t size, …) */
const makers = /^klp_shadow_(get_or_)?alloc$/;

/** One for each number, by unit. */
export function shadowVariables({ units, image }: Pick<ReviewSubject, 'units' | 'image'>): DataReview[] {
  const code = new KernelCode(units, image.symbols);
  return units.flatMap((unit) => {
    const found = new Map<string, DataReview>();
    for (const { verdict, name, patched } of unit.diff.functions) {
      if (patched === undefined || (verdict !== 'changed' && verdict !== 'new')) continue;
      const own = code.of(unit, patched);
      if (!own.calls.some((call) => makers.test(call.name))) continue;
      for (const call of stepsOf(own).calls) {
        if (!makers.test(call.name)) continue;
        const [, numbers = [], sizes = []] = call.constants;
        const number = numbers[0] === undefined ? '' : `0x${numbers[0].toString(16)}`;
        if (found.has(number)) continue;
        found.set(number, {
          name: `shadow variable ${number}`.trimEnd(),
          unit: unit.source,
          kind: 'shadow-variable',
          function: name,
          size: Number(sizes[0] ?? 0n),
          section: '',
          initial: 'zero, then what its constructor makes',
          fate: 'stays with its object until new code or a callback detaches it; a replacement that knows its number finds it',
        });
      }
    }
    return [...found.values()];
  });
}
