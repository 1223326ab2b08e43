/** The flags of commands that run a virtual machine. */

export interface GuestFlags {
  readonly accel: 'tcg' | 'kvm' | 'auto';
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
}

/** A whole number from 1 on. */
export function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new SyntaxError(`a whole number from 1 on was expected, not ${JSON.stringify(text)}`);
  }
  return value;
}

export function guestFlags<M extends `${number}`>(memory: M) {
  return {
    accel: {
      kind: 'enum',
      values: ['tcg', 'kvm', 'auto'],
      default: 'tcg',
      brief: 'Emulation, KVM, or KVM where a probe guest answers',
    },
    cpus: { kind: 'parsed', parse: whole, default: '2', brief: 'Processors of the guest', placeholder: 'N' },
    memory: { kind: 'parsed', parse: whole, default: memory, brief: 'MiB of the guest', placeholder: 'MIB' },
  } as const;
}
