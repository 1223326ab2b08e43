/** One run of one guest, from its first byte to its last: boots it, hears its channel, and tells how it ended. */
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { qemuFailed } from '../diagnostics/vm.ts';
import { type ConsoleFinding, causeOfDeath, parseConsole } from './console.ts';
import { ConsoleLog } from './console-log.ts';
import type { GuestModule } from './guest-modules.ts';
import { type FileSource, type InitramfsOptions, makeInitramfs } from './initramfs.ts';
import { type GuestEvent, LineCutter, parseGuestLine } from './protocol.ts';
import { type Accel, type Qemu, type QemuExit, startQemu } from './qemu.ts';

export interface GuestOptions {
  readonly kernel: {
    /** `uname -r`. */
    readonly release: string;
    readonly vmlinuz: string;
    /** The image's payload, for `boot: 'payload'`. */
    readonly vmlinux?: string;
  };
  /**
   * `image` (usual): as the machine itself boots, with the kernel at a random address (KASLR), so that code which is right
   * only at the linked address shows itself. `payload`: the unpacked kernel through its PVH entry, without KASLR; 3 s quicker under emulation.
   */
  readonly boot?: 'image' | 'payload';
  /** Packed into the guest, in load order. */
  readonly modules?: readonly GuestModule[];
  /** Path in the guest → host file or bytes. */
  readonly files?: Readonly<Record<string, FileSource>>;
  readonly cpus?: number;
  /** MiB; 1024 when left out. */
  readonly memory?: number;
  /** More words for the kernel's command line. */
  readonly append?: string;
  /** Whether an oops ends the kernel (usual) or only the task that made it. */
  readonly oopsPanics?: boolean;
  /** A host folder for 9p. */
  readonly share?: string;
  /** A file that becomes the guest’s disk, raw: what is written there stays. */
  readonly disk?: string;
  /** These two: see `Machine` in qemu.ts. */
  readonly instructionClock?: number;
  readonly parallel?: boolean;
  /** Seconds until the guest must have said hello; emulation on a busy machine is slow. */
  readonly bootTimeout?: number;
  /** Seconds without a sign of life after which the guest counts as hung. */
  readonly silence?: number;
  /** A live copy of the kernel log. */
  readonly onConsole?: (text: string) => void;
  readonly busybox?: string;
  readonly signal?: AbortSignal;
}

export interface GuestHooks {
  readonly main: InitramfsOptions['main'];
  readonly accel: Accel;
  readonly onEvent?: (event: GuestEvent) => void;
  /** Called once QEMU runs, to connect the terminal channels. */
  readonly onStart?: (qemu: Qemu) => void;
}

export interface GuestRun {
  /**
   * `done`: its script came to its end. `panicked`: the kernel died. `hung`: no sign of life for too long.
   * `lost`: the machine vanished without a word (QEMU was killed or crashed, the guest switched itself off).
   */
  readonly end: 'done' | 'panicked' | 'hung' | 'lost';
  /** How it ended, in one line. */
  readonly why: string;
  readonly console: string;
  readonly findings: readonly ConsoleFinding[];
  /** Seconds of the host's clock from starting QEMU to the guest's hello; absent when it never came. */
  readonly bootSeconds?: number;
  /** Seconds of the host's clock from starting QEMU to its end. */
  readonly seconds: number;
}

/**
 * Runs a guest to its end. What the guest does, dying included, is the result; throws only for our side:
 * no QEMU, no busybox, no disk, or the signal's reason after an abort. Nothing outlives the call.
 */
export async function runGuest(options: GuestOptions, hooks: GuestHooks): Promise<GuestRun> {
  const { signal } = options;
  signal?.throwIfAborted();
  const initramfs = await makeInitramfs({
    release: options.kernel.release,
    main: hooks.main,
    ...(options.modules === undefined ? {} : { modules: options.modules }),
    ...(options.files === undefined ? {} : { files: options.files }),
    ...(options.busybox === undefined ? {} : { busybox: options.busybox }),
  });
  signal?.throwIfAborted();
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  const qemu = await startQemu({
    kernel: bootWay(options) === 'payload' ? options.kernel.vmlinux! : options.kernel.vmlinuz,
    initramfs,
    accel: hooks.accel,
    cpus: options.cpus ?? 1,
    memory: options.memory ?? 1024,
    append: commandLine(options),
    ...(options.share === undefined ? {} : { share: options.share }),
    ...(options.parallel === undefined ? {} : { parallel: options.parallel }),
    ...(options.instructionClock === undefined ? {} : { instructionClock: options.instructionClock }),
    ...(options.disk === undefined ? {} : { disk: options.disk }),
  });
  try {
    const log = new ConsoleLog();
    const listening = new Listening(qemu, log, options, hooks);
    hooks.onStart?.(qemu);
    const { exit, hung } = await listening.end();
    signal?.throwIfAborted();
    const { said } = listening;
    if (log.empty && said.hello === undefined && exit !== undefined && exit.code !== 0) {
      throw new LivegraftError(qemuFailed({ how: describeExit(exit), output: exit.errorOutput }));
    }
    const findings = parseConsole(log.text);
    return {
      ...verdict({ done: said.done, exit, hung, findings }),
      console: log.text,
      findings,
      ...(said.hello === undefined ? {} : { bootSeconds: (said.hello - started) / 1000 }),
      seconds: elapsed(),
    };
  } finally {
    await qemu.stop();
  }
}

/** How this guest boots: through the image, unless the payload is wanted and there. */
export function bootWay({ boot, kernel }: GuestOptions): 'image' | 'payload' {
  return boot === 'payload' && kernel.vmlinux !== undefined ? 'payload' : 'image';
}

/** The kernel's words: console, and what to do when it dies. */
function commandLine({ oopsPanics = true, append }: GuestOptions): string {
  return [
    'console=ttyS0,115200',
    // Warnings and worse while booting; the agent turns the rest on.
    'loglevel=5',
    'panic=-1',
    ...(oopsPanics ? ['oops=panic'] : []),
    // For `interrupt`: where a hung kernel is.
    'unknown_nmi_panic',
    ...(append === undefined ? [] : [append]),
  ].join(' ');
}

/** Seconds a kernel may take to print its last words. */
const lastWords = 10;

/** Hears the channel and the console until the guest is done, gone, or silent for too long. */
class Listening {
  readonly said: { hello?: number; done: boolean } = { done: false };
  readonly #qemu: Qemu;
  readonly #signal: AbortSignal | undefined;
  readonly #silence: number;
  #patience: number;
  #heard = performance.now();

  constructor(qemu: Qemu, log: ConsoleLog, options: GuestOptions, hooks: GuestHooks) {
    this.#qemu = qemu;
    this.#patience = options.bootTimeout ?? 180;
    this.#silence = options.silence ?? 60;
    this.#signal = options.signal;
    const cutter = new LineCutter();
    qemu.channel.on('data', (chunk: Buffer) => {
      for (const line of cutter.push(chunk)) {
        const event = parseGuestLine(line);
        if (event === undefined) continue;
        this.#heard = performance.now();
        if (event.kind === 'hello') {
          this.said.hello ??= this.#heard;
          this.#patience = this.#silence;
        }
        if (event.kind === 'done') this.said.done = true;
        hooks.onEvent?.(event);
      }
    });
    let recent = '';
    qemu.console.on('data', (chunk: Buffer) => {
      const text = log.push(chunk);
      options.onConsole?.(text);
      recent = (recent + text).slice(-4096);
      if (recent.includes('Kernel panic - not syncing') && this.#patience > lastWords) {
        this.#heard = performance.now();
        this.#patience = lastWords;
      }
    });
  }

  /** Waits for the end; a hung guest is asked where it is before it goes. */
  async end(): Promise<{ exit: QemuExit | undefined; hung: number | undefined }> {
    const gone = this.#qemu.exited;
    for (;;) {
      const left = this.#patience - (performance.now() - this.#heard) / 1000;
      if (left <= 0) break;
      // Its script is over: what remains is switching off, which may take its time or fail, and changes nothing.
      const wait = this.said.done ? Math.min(left, lastWords) : left;
      const exit = await this.#within(gone, Math.min(wait, 1));
      if (exit !== undefined) return { exit, hung: undefined };
      if (this.#signal?.aborted === true) return { exit: undefined, hung: undefined };
      if (this.said.done && (performance.now() - this.#heard) / 1000 > lastWords)
        return { exit: undefined, hung: undefined };
    }
    const silent = this.#patience;
    this.#qemu.interrupt();
    return { exit: await this.#within(gone, lastWords), hung: silent };
  }

  /** The exit when it comes within so many seconds and before an abort. */
  async #within(gone: Promise<QemuExit>, seconds: number): Promise<QemuExit | undefined> {
    let timer: NodeJS.Timeout | undefined;
    let stop: (() => void) | undefined;
    const enough = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined);
      timer = setTimeout(stop, seconds * 1000);
      this.#signal?.addEventListener('abort', stop, { once: true });
    });
    try {
      return await Promise.race([gone, enough]);
    } finally {
      clearTimeout(timer);
      if (stop !== undefined) this.#signal?.removeEventListener('abort', stop);
    }
  }
}

function verdict(found: {
  readonly done: boolean;
  readonly exit: QemuExit | undefined;
  readonly hung: number | undefined;
  readonly findings: readonly ConsoleFinding[];
}): Pick<GuestRun, 'end' | 'why'> {
  if (found.done) return { end: 'done', why: 'the guest came to its end' };
  const cause = causeOfDeath(found.findings);
  if (found.hung !== undefined && !(cause !== undefined && !isOurInterrupt(cause))) {
    return { end: 'hung', why: `no sign of life for ${found.hung} s` };
  }
  if (cause !== undefined) return { end: 'panicked', why: cause.title };
  if (found.exit === undefined || found.exit.code === 0)
    return { end: 'lost', why: 'the guest switched itself off before it was done' };
  const words = found.exit.errorOutput === '' ? '' : `: ${found.exit.errorOutput}`;
  return { end: 'lost', why: `QEMU ${describeExit(found.exit)}${words}` };
}

/** The panic that `interrupt` provokes is our question, not the guest's fault. */
function isOurInterrupt(cause: ConsoleFinding): boolean {
  return cause.title.includes('NMI: Not continuing');
}

function describeExit({ code, signal }: QemuExit): string {
  return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
}
