/** Emulation or KVM: KVM only after a guest has answered under it, because /dev/kvm can exist, open, and hang. */
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { kvmUnusable } from '../diagnostics/vm.ts';
import { writeFileWhole } from '../support/files.ts';
import type { Progress } from '../support/progress.ts';
import { type GuestOptions, runGuest } from './guest.ts';
import type { Accel } from './qemu.ts';

/** `auto`: KVM where it works, emulation elsewhere. */
export type AccelWish = Accel | 'auto';

/** Seconds a probe guest gets; one that works answers in one or two. */
const probeSeconds = 8;

interface Probe {
  /** The machine's boot that this was found in: after a reboot all may be different. */
  readonly boot: string;
  /** Why KVM cannot be used; empty when it can. */
  readonly trouble: string;
}

/** What to run with. Throws `vm-kvm-unusable` when KVM was asked for and does not answer. */
export async function chooseAccel(wish: AccelWish, options: GuestOptions, progress: Progress): Promise<Accel> {
  if (wish === 'tcg') return 'tcg';
  const trouble = await kvmTrouble(options, progress);
  if (trouble === '') return 'kvm';
  if (wish === 'kvm') throw new LivegraftError(kvmUnusable({ reason: trouble }));
  progress.say(`KVM cannot be used (${trouble}); the guest is emulated`);
  return 'tcg';
}

async function kvmTrouble(options: GuestOptions, progress: Progress): Promise<string> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no /dev/kvm' : 'no right to open /dev/kvm';
  }
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const known = await remembered(boot);
  if (known !== undefined) return known;
  const trouble = await progress.step('Ask a probe guest whether KVM works here', () => probe(options));
  await writeFileWhole(memory(), `${JSON.stringify({ boot, trouble } satisfies Probe)}\n`);
  return trouble;
}

async function probe({ kernel, busybox, signal }: GuestOptions): Promise<string> {
  const run = await runGuest(
    {
      kernel,
      bootTimeout: probeSeconds,
      files: { '/livegraft/plan': new Uint8Array(0) },
      ...(busybox === undefined ? {} : { busybox }),
      ...(signal === undefined ? {} : { signal }),
    },
    { main: 'trial', accel: 'kvm' },
  ).catch((error: unknown) => {
    // QEMU says by itself when the device is no KVM at all.
    if (error instanceof LivegraftError && error.code === 'vm-qemu-failed') {
      return { end: 'lost', why: error.message.split('\n')[0]! };
    }
    throw error;
  });
  if (run.end === 'done') return '';
  return run.end === 'hung' ? `a guest gave no answer within ${probeSeconds} s` : run.why;
}

async function remembered(boot: string): Promise<string | undefined> {
  try {
    const found = JSON.parse(await readFile(memory(), 'utf8')) as Partial<Probe>;
    return found.boot === boot && typeof found.trouble === 'string' ? found.trouble : undefined;
  } catch {
    return undefined;
  }
}

function memory(): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(cache, 'livegraft', 'kvm-probe.json');
}
