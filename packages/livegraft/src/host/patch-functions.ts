/** Which frames of a stack are in functions that a transition waits for (klp_check_stack_func, kernel/livepatch/transition.c). */
import type { SizesOf } from './kallsyms.ts';
import type { Livepatch } from './livepatch.ts';
import type { Frame } from './stacks.ts';

/**
 * `yes`; `perhaps`: several functions share the name, and the size does not tell which this is.
 */
export type Inside = 'yes' | 'perhaps' | undefined;

/** Whether a frame lies in a function that tasks must have left. */
export type InPatch = (frame: Frame) => Inside;

/**
 * While a livepatch is enabled, tasks must have left the functions that ran before it: the kernel's, or those of earlier livepatches.
 * While it is taken back, those of the livepatch itself.
 */
export function inFunctionsOf(patch: Livepatch, target: 0 | 1, all: readonly Livepatch[], sizesOf: SizesOf): InPatch {
  const functions = patch.objects.flatMap((object) =>
    object.functions.map((each) => ({ ...each, module: object.name === 'vmlinux' ? undefined : object.name })),
  );
  const names = new Set(functions.map(({ name }) => name));
  const others = new Set(all.filter(({ name }) => name !== patch.name).map(({ name }) => name));
  return (frame) => {
    if (!names.has(frame.symbol)) return undefined;
    if (target === 0) return frame.module === patch.name ? 'yes' : undefined;
    if (frame.module !== undefined && others.has(frame.module)) return 'yes';
    const here = functions.filter(({ name, module }) => name === frame.symbol && module === frame.module);
    if (here.length === 0) return undefined;
    const sizes = sizesOf(frame.symbol, frame.module);
    if (sizes.length < 2) return 'yes';
    const meant = here.some(({ position }) => sizes[position - 1] === frame.size);
    if (!meant) return undefined;
    const positions = new Set(here.map(({ position }) => position));
    return sizes.some((size, i) => size === frame.size && !positions.has(i + 1)) ? 'perhaps' : 'yes';
  };
}
