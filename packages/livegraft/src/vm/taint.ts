/** The kernel's taint flags, Documentation/admin-guide/tainted-kernels.rst: why a kernel no longer counts as untouched. */

export interface Taint {
  /** As `/proc/sys/kernel/tainted` and oopses abbreviate it. */
  readonly letter: string;
  readonly meaning: string;
  /** Whether it tells of something gone wrong, rather than of what was loaded. */
  readonly bad: boolean;
}

/** By bit number. */
const flags: readonly Taint[] = [
  { letter: 'P', meaning: 'proprietary module', bad: false },
  { letter: 'F', meaning: 'module loaded by force', bad: true },
  { letter: 'S', meaning: 'processor out of specification', bad: false },
  { letter: 'R', meaning: 'module unloaded by force', bad: true },
  { letter: 'M', meaning: 'machine check', bad: true },
  { letter: 'B', meaning: 'bad page', bad: true },
  { letter: 'U', meaning: 'set by user space', bad: false },
  { letter: 'D', meaning: 'the kernel has died (oops or BUG)', bad: true },
  { letter: 'A', meaning: 'ACPI table overridden', bad: false },
  { letter: 'W', meaning: 'kernel warning', bad: true },
  { letter: 'C', meaning: 'staging driver', bad: false },
  { letter: 'I', meaning: 'firmware bug worked around', bad: false },
  { letter: 'O', meaning: 'out-of-tree module', bad: false },
  { letter: 'E', meaning: 'unsigned module', bad: false },
  { letter: 'L', meaning: 'soft lockup', bad: true },
  { letter: 'K', meaning: 'live patched', bad: false },
  { letter: 'X', meaning: 'auxiliary, set by the distribution', bad: false },
  { letter: 'T', meaning: 'randomised structures', bad: false },
  { letter: 'N', meaning: 'in-kernel test', bad: false },
];

/** The flags of a taint value, lowest bit first; a bit without a name here shows as its number. */
export function taints(value: bigint): Taint[] {
  const found: Taint[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if ((value & (1n << BigInt(bit))) === 0n) continue;
    found.push(flags[bit] ?? { letter: String(bit), meaning: `taint bit ${bit}`, bad: false });
  }
  return found;
}
