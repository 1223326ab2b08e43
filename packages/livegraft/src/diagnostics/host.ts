/** What stands between a bundle and the kernel that runs here, and what became of a livepatch there. */
import { define, Exit } from './diagnostic.ts';

export const notRoot = define<{ command: string }>('not-root', {
  exit: Exit.usage,
  message: ({ command }) => `\`livegraft ${command}\` changes or reads what only root may, and this is not root`,
  hint: ({ command }) => `sudo livegraft ${command} …`,
});

export const oneBundle = define<{ count: number }>('one-bundle-at-a-time', {
  exit: Exit.usage,
  message: ({ count }) =>
    `${count} bundles were named; one is loaded at a time, since each has a transition of its own`,
  hint: 'load one after the other, or see with --plan what would come of all',
});

export const livepatchUnsupported = define<{ path: string }>('livepatch-unsupported', {
  exit: Exit.kernelRefused,
  message: ({ path }) => `This kernel has no livepatching: there is no ${path}`,
  hint: 'CONFIG_LIVEPATCH must be set, and sysfs mounted; distributions’ server kernels have it',
});

export const kernelUnnamed = define<{ path: string; expected: string }>('kernel-build-id-unknown', {
  exit: Exit.provenance,
  message: ({ path, expected }) =>
    `Which kernel runs here cannot be told: ${path} has no GNU build-id; the bundle is for ${expected}`,
});

export const targetDiffers = define<{ module: string; found: string; expected: string }>('target-differs', {
  exit: Exit.provenance,
  place: ({ module }) => module,
  message: ({ found, expected }) =>
    `The loaded module is not the one that the bundle was built for: its build-id is ${found}, the bundle’s is ${expected}`,
  hint: ({ module }) =>
    `it may come from DKMS or another package: \`modinfo -n ${module}\` names its file; build the patch for that, or load the distribution’s module`,
});

export const targetAbsent = define<{ module: string; functions: number }>('target-absent', {
  severity: 'note',
  place: ({ module }) => module,
  message: ({ functions }) =>
    `Not loaded now: the kernel applies ${functions === 1 ? 'its function' : `its ${functions} functions`} when the module comes, and refuses the module if that fails`,
});

export const modulesDisabled = define<{ path: string }>('modules-disabled', {
  exit: Exit.kernelRefused,
  message: ({ path }) => `This kernel loads no more modules until it is booted again: ${path} is 1`,
});

export const moduleUnsigned = define<{ module: string; why: string }>('module-unsigned', {
  exit: Exit.kernelRefused,
  place: ({ module }) => module,
  message: ({ why }) => `The module is not signed, and this kernel loads signed modules only: ${why}`,
  hint: 'sign it with a key that this machine knows (scripts/sign-file of the kernel, a key enrolled with mokutil)',
});

export const signatureUnchecked = define<{ module: string; why: string }>('signature-unchecked', {
  severity: 'note',
  place: ({ module }) => module,
  message: ({ why }) => `The kernel will check the module’s signature (${why}); whether it knows the key shows then`,
});

export const alreadyLoaded = define<{ name: string; state: string }>('already-loaded', {
  exit: Exit.nothingToDo,
  place: ({ name }) => name,
  message: ({ state }) => `This very module is loaded already, and its livepatch is ${state}`,
  hint: ({ name }) => `livegraft status ${name}`,
});

export const moduleLeft = define<{ name: string }>('module-left', {
  exit: Exit.kernelRefused,
  place: ({ name }) => name,
  message: () => 'The module is loaded, but its livepatch was reverted: the kernel cannot enable it a second time',
  hint: ({ name }) => `livegraft unload ${name}, then load again`,
});

export const moduleNameTaken = define<{ name: string; found: string; expected: string }>('module-name-taken', {
  exit: Exit.kernelRefused,
  place: ({ name }) => name,
  message: ({ found, expected }) =>
    `Another module of this name is loaded: its build-id is ${found}, the bundle’s is ${expected}`,
  hint: ({ name }) => `livegraft revert ${name} takes the other one back; or build with another --name`,
});

export const statesConflict = define<{ name: string; id: number; with: string; loaded: number; wanted?: number }>(
  'states-incompatible',
  {
    exit: Exit.kernelRefused,
    place: ({ name }) => name,
    message: ({ id, with: other, loaded, wanted }) =>
      wanted === undefined
        ? `The livepatch ${other} left the state ${id} (version ${loaded}) in the kernel; this one, which would replace it, does not know that state`
        : `The livepatch ${other} has the state ${id} in version ${loaded}; this one knows version ${wanted}`,
    hint: ({ with: other }) => `load a bundle that knows it, or take ${other} back first: livegraft revert ${other}`,
  },
);

export const transitionRunning = define<{ name: string; direction: string }>('transition-running', {
  exit: Exit.kernelRefused,
  place: ({ name }) => name,
  message: ({ direction }) => `It is being ${direction} now, and the kernel does one transition at a time`,
  hint: ({ name }) => `livegraft watch ${name} follows it to its end`,
});

export const functionTaken = define<{ name: string; object: string; by: readonly string[] }>('function-taken', {
  exit: Exit.kernelRefused,
  place: ({ name, object }) => inObject(name, object),
  message: ({ by }) => `Another livepatch replaces it already: ${by.join(', ')}. The newer one would win, unseen`,
  hint: 'revert the other one first, build both patches into one bundle, or load with --on-top',
});

export const functionOnTop = define<{ name: string; object: string; by: readonly string[] }>('function-on-top', {
  severity: 'warning',
  place: ({ name, object }) => inObject(name, object),
  message: ({ by }) => `Until this bundle is reverted, its version runs instead of that of ${by.join(', ')}`,
});

export const replacesAll = define<{ names: readonly string[] }>('replaces-loaded', {
  severity: 'warning',
  message: ({ names }) => `The bundle replaces all livepatches that are loaded: ${names.join(', ')}`,
  hint: 'theirs that this bundle does not bring are gone then; their modules stay until `livegraft unload`',
});

export const functionHeld = define<{ name: string; object: string; by: string }>('function-held', {
  exit: Exit.kernelRefused,
  place: ({ name, object }) => inObject(name, object),
  message: ({ by }) =>
    `Something else redirects it through ftrace (IPMODIFY): ${by}. The kernel lets only one do that, and would refuse the livepatch`,
  hint: 'usually a kprobe that changes registers, or a foreign patching tool: take it away first',
});

export const functionTrampoline = define<{ name: string; object: string; by: string }>('function-trampoline', {
  severity: 'warning',
  place: ({ name, object }) => inObject(name, object),
  message: ({ by }) =>
    `A trampoline is attached to it (${by}): while a task is below it, the kernel does not trust that task’s stack`,
  hint: 'if the transition stalls, stop the tracing tool for its time (`bpftool link`, `bpftool prog` name the owner)',
});

export const functionTraced = define<{ name: string; object: string; by: string }>('function-traced', {
  severity: 'note',
  place: ({ name, object }) => inObject(name, object),
  message: ({ by }) => `It is traced (${by}): the tracer goes on seeing calls, whichever version runs`,
});

export const functionProbed = define<{ name: string; object: string; kind: string; offset: number }>(
  'function-probed',
  {
    severity: 'warning',
    place: ({ name, object }) => inObject(name, object),
    message: ({ kind, offset }) =>
      kind === 'r'
        ? 'A kretprobe is on it: a task that returns through it can hold the transition back'
        : `A kprobe is in it, at +0x${offset.toString(16)}: it stays in the old code, which will not run any more`,
    hint: 'tell whoever set it (`cat /sys/kernel/debug/kprobes/list`), or remove it for the time of the transition',
  },
);

export const functionOccupied = define<{ name: string; object: string; tasks: readonly string[]; count: number }>(
  'function-occupied',
  {
    severity: 'warning',
    place: ({ name, object }) => inObject(name, object),
    message: ({ tasks, count }) =>
      `${count} ${count === 1 ? 'task sleeps' : 'tasks sleep'} in it now: ${tasks.join(', ')}${count > tasks.length ? ' …' : ''}. They hold the transition back until they leave it`,
    hint: 'the kernel nudges sleepers after about 15 s; `livegraft blockers` and `livegraft wake` help with the rest',
  },
);

export const tracingUnseen = define<{ path: string }>('tracing-unseen', {
  severity: 'note',
  message: ({ path }) => `Who else hooks the functions cannot be seen: ${path} cannot be read`,
  hint: 'mount -t tracefs tracefs /sys/kernel/tracing',
});

export const memoryLow = define<{ available: number; needed: number }>('memory-low', {
  severity: 'warning',
  message: ({ available, needed }) =>
    `Little memory is free: ${Math.round(available / 1024)} kB, where loading takes about ${Math.round(needed / 1024)} kB`,
});

export const kernelRefused = define<{ name: string; said: string; why: string; log: readonly string[]; next: string }>(
  'kernel-refused',
  {
    exit: Exit.kernelRefused,
    place: ({ name }) => name,
    message: ({ said, why, log }) =>
      [`The kernel refused the module: ${said}${why === '' ? '' : `; ${why}`}`, ...log.map((line) => `  ${line}`)].join(
        '\n',
      ),
    hint: ({ next }) => (next === '' ? undefined : next),
  },
);

export const transitionStalled = define<{ name: string; seconds: number; left: string; now: string; next: string }>(
  'transition-stalled',
  {
    exit: Exit.stalled,
    place: ({ name }) => name,
    message: ({ seconds, left, now }) => `The transition did not end within ${seconds} s: ${left}. ${now}`,
    hint: ({ next }) => next,
  },
);

export const takenBackElsewhere = define<{ name: string }>('taken-back-elsewhere', {
  exit: Exit.failed,
  place: ({ name }) => name,
  message: () => 'Somebody else reversed the transition while it was followed here',
  hint: 'livegraft status shows what is loaded now',
});

export const livepatchUnknown = define<{ name: string; loaded: readonly string[] }>('livepatch-unknown', {
  exit: Exit.usage,
  place: ({ name }) => name,
  message: ({ loaded }) =>
    `No livepatch of this name is loaded; ${loaded.length === 0 ? 'none is' : `there ${loaded.length === 1 ? 'is' : 'are'} ${loaded.join(', ')}`}`,
});

export const notTheBundles = define<{ name: string; found: string; expected: string }>('not-the-bundles-module', {
  exit: Exit.kernelRefused,
  place: ({ name }) => name,
  message: ({ found, expected }) =>
    `The loaded module of this name is not the bundle’s: its build-id is ${found}, the bundle’s is ${expected}`,
  hint: ({ name }) => `give the name instead of the folder if it is meant all the same: ${name}`,
});

export const stillEnabled = define<{ name: string; state: string }>('still-enabled', {
  exit: Exit.kernelRefused,
  place: ({ name }) => name,
  message: ({ state }) => `Its livepatch is ${state}: a module in use cannot be unloaded`,
  hint: ({ name }) => `livegraft revert ${name} takes it back and unloads it`,
});

export const moduleInUse = define<{ name: string; said: string }>('module-in-use', {
  exit: Exit.kernelRefused,
  place: ({ name }) => name,
  message: ({ said }) => `The module stays loaded, which does no harm: ${said}`,
  hint: ({ name }) => `try again later: livegraft unload ${name}`,
});

export const moduleKept = define<{ name: string; functions: readonly string[] }>('module-kept', {
  severity: 'warning',
  place: ({ name }) => name,
  message: ({ functions }) =>
    `Its livepatch is reverted, and its module stays loaded for now: a dying task may still be in ${functions.join(', ')}, where the kernel no longer sees it`,
  hint: ({ name }) => `livegraft unload ${name} waits half a minute, then unloads it`,
});

export const switchRefused = define<{ name: string; wanted: string; said: string }>('switch-refused', {
  exit: Exit.kernelRefused,
  place: ({ name }) => name,
  message: ({ wanted, said }) => `The kernel did not let it be ${wanted}: ${said}`,
  hint: 'livegraft status shows what is loaded and which transition runs',
});

export const checkFailed = define<{ name: string; problem: string }>('check-failed', {
  exit: Exit.failed,
  place: ({ name }) => name,
  message: ({ problem }) => problem,
});

export const checkMoving = define<{ name: string; direction: string; left: string }>('check-moving', {
  exit: Exit.stalled,
  place: ({ name }) => name,
  message: ({ direction, left }) => `It is being ${direction}: ${left}`,
  hint: ({ name }) => `livegraft watch ${name}; livegraft blockers ${name}`,
});

function inObject(name: string, object: string): string {
  return object === 'vmlinux' ? name : `${name} [${object}]`;
}
