/** A unit whose code the patch changes, with all that is known of it. */
import type { Diff } from '../objdiff/diff.ts';
import type { Placement } from '../provenance/place.ts';
import type { SymbolSpace } from './resolve.ts';

export interface ChangedUnit {
  /** `fs/ext4/mballoc.c` */
  readonly source: string;
  readonly diff: Diff;
  readonly placement: Placement;
  readonly space: SymbolSpace;
}
