/** Problems on our side of the virtual machine. What the guest does is never one of these: it is a result. */
import { define, Exit } from './diagnostic.ts';

export const qemuMissing = define<{ program: string }>('vm-qemu-missing', {
  exit: Exit.failed,
  message: ({ program }) => `Cannot start ${program}: no such program in PATH`,
  hint: 'install it: sudo apt-get install --no-install-recommends qemu-system-x86',
});

export const qemuFailed = define<{ how: string; output: string }>('vm-qemu-failed', {
  exit: Exit.failed,
  message: ({ how, output }) => `QEMU ${how} before the guest said anything${output === '' ? '' : `:\n${output}`}`,
});

export const busyboxMissing = define<{ tried: readonly string[]; found: string }>('vm-busybox-missing', {
  exit: Exit.failed,
  message: ({ tried, found }) =>
    `No static busybox for the guest: ${found === '' ? `none of ${tried.join(', ')} exists` : found}`,
  hint: 'install it: sudo apt-get install busybox-static',
});

export const kvmUnusable = define<{ reason: string }>('vm-kvm-unusable', {
  exit: Exit.failed,
  message: ({ reason }) => `KVM was asked for and cannot be used: ${reason}`,
  hint: 'leave --accel away: emulation needs no special hardware',
});

export const guestFileUnreadable = define<{ path: string; reason: string }>('vm-file-unreadable', {
  exit: Exit.failed,
  place: ({ path }) => path,
  message: ({ reason }) => `cannot be packed for the guest: ${reason}`,
});

export const badTrial = define<{ step: number; field: string; value: string; wanted: string }>('vm-bad-trial', {
  exit: Exit.usage,
  message: ({ step, field, value, wanted }) =>
    `Step ${step} of the trial has ${field} ${JSON.stringify(value)}; ${wanted} is wanted`,
});

export const guestTrouble = define<{ what: string }>('vm-guest-trouble', {
  exit: Exit.failed,
  message: ({ what }) => `The guest could not be set up: ${what}`,
});
