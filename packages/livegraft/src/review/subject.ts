/** What a review is about: all that a build knows. */
import type { Btf } from '@livegraft/binfmt/btf';
import type { KernelImage } from '../kernel/image.ts';
import type { Kernel } from '../kernel/types.ts';
import type { Extraction } from '../klp/extract.ts';
import type { ChangedUnit } from '../klp/unit.ts';
import type { FunctionVerdict } from '../objdiff/diff.ts';
import type { Cause } from '../objdiff/explain/cause.ts';
import type { PatchedFile } from '../patch/apply.ts';

export interface ReviewedUnit extends ChangedUnit {
  /** The .c file, byte strings; the same twice where only a header changes. */
  readonly text: { readonly original: string; readonly patched: string };
  /** As both sides lay them out; absent where nothing but bodies of functions changes, which cannot change a type. */
  readonly types?: { readonly original: Btf; readonly patched: Btf };
}

export interface ReviewSubject {
  readonly kernel: Kernel;
  readonly image: KernelImage;
  readonly units: readonly ReviewedUnit[];
  /** All files that the patch changes, by path. */
  readonly files: ReadonlyMap<string, PatchedFile>;
  readonly extraction: Extraction;
  /** By the verdict of a changed function: the chain back to a changed line. */
  readonly causes: ReadonlyMap<FunctionVerdict, readonly Cause[]>;
}

/** Names of the functions of a unit that get replaced. */
export function replacedNames({ diff }: Pick<ReviewedUnit, 'diff'>): ReadonlySet<string> {
  return new Set(diff.functions.filter(({ verdict }) => verdict === 'changed').map(({ name }) => name));
}
