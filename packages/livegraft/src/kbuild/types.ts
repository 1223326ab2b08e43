/** A unit (one .c file and its object) and the ways livegraft compiles it. */

/** What is needed to compile it. */
export interface UnitSource {
  /** Path of the .c file in the source tree: `fs/ext4/mballoc.c`. */
  readonly source: string;
  /** The path as the command names it, and `__FILE__` with it, where that is another spelling: `arch/x86/kvm/../../../virt/kvm/kvm_main.c`. */
  readonly spelled?: string;
  /** Set for a .c file that kbuild generated: it lies in the build tree. */
  readonly generated?: boolean;
  /** How kbuild compiles it, with the variable parts taken out. */
  readonly command: UnitCommand;
}

export interface Unit extends UnitSource {
  /** What a livepatch names the target: `vmlinux` or the module's name. */
  readonly klpObject: string;
}

export interface UnitCommand {
  /** The compiler and its arguments as kbuild gives them, without the output and the input. */
  readonly compile: readonly string[];
  /** Programs that kbuild runs on the object afterwards (objtool), without the object's name; empty where kbuild defers them to the link (`objtool.ts`). */
  readonly post: readonly (readonly string[])[];
}

/**
 * `proof`: exactly the shipped flags, to be compared with the shipped code.
 * `pair`: with `-ffunction-sections -fdata-sections`, to be compared with each other and extracted from.
 */
export type Variant = 'proof' | 'pair';
