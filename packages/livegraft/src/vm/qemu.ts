/** One QEMU process: started with its channels as inherited sockets, so that nothing of it has a name, and ended with us in every case. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { diskFull } from '../diagnostics/support.ts';
import { qemuMissing } from '../diagnostics/vm.ts';
import { tryRun } from '../support/exec.ts';

export type Accel = 'tcg' | 'kvm';

export interface Machine {
  /** A boot image (vmlinuz), or an ELF with a PVH entry (CONFIG_PVH). */
  readonly kernel: string;
  readonly initramfs: Uint8Array;
  readonly accel: Accel;
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  /** The kernel's command line. */
  readonly append: string;
  /** A host folder the guest can mount over 9p, read-only, by the tag `host`. */
  readonly share?: string;
  /** The guest's clocks count instructions, 2^n nanoseconds each: what it measures then does not depend on how busy the host is. Emulation and one CPU only. */
  readonly instructionClock?: number;
  /** Processors that run at the same time, a thread of the host each. Emulation only, and for measurements only: see `qemuArguments`. */
  readonly parallel?: boolean;
  /** A file that the guest sees as a disk, /dev/vda with virtio_blk, and may write to. */
  readonly disk?: string;
}

export interface Qemu {
  readonly pid: number;
  /** ttyS0: the kernel's console. */
  readonly console: Socket;
  /** ttyS1: livegraft's channel. */
  readonly channel: Socket;
  /** ttyS2: a terminal, or a command's output. */
  readonly terminal: Socket;
  /** ttyS3: a command's error output. */
  readonly errors: Socket;
  /** Settles when the process is gone; never rejects. */
  readonly exited: Promise<QemuExit>;
  /** Sends a non-maskable interrupt to all of its CPUs: a stuck kernel told `unknown_nmi_panic` then says where it is. */
  interrupt(): void;
  /** Ends it at once, whatever the guest does, and waits until it is gone. */
  stop(): Promise<void>;
}

export interface QemuExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what QEMU itself had to say. */
  readonly errorOutput: string;
}

const program = 'qemu-system-x86_64';

/** Starts a machine. Throws `vm-qemu-missing` when there is no QEMU, `disk-full` when the initramfs cannot be put down. */
export async function startQemu(machine: Machine): Promise<Qemu> {
  const initramfs = await unnamedFile(machine.initramfs);
  try {
    const [command, ...args] = await dyingWithUs([program, ...qemuArguments(machine)]);
    // A group of its own: Ctrl-C reaches us, and we end it.
    const child = spawn(command!, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', initramfs.fd],
      detached: true,
    });
    return await running(child);
  } finally {
    await initramfs.close();
  }
}

/** `QEMU emulator version 7.2.22 (Debian …)`, as the evidence names it. Throws `vm-qemu-missing`. */
export async function qemuVersion(): Promise<string> {
  if (!(await inPath(program))) throw new LivegraftError(qemuMissing({ program }));
  const { stdout } = await tryRun(program, ['--version'], { timeout: 20_000 });
  return /version ([^\n]+)/.exec(stdout)?.[1] ?? stdout.trim();
}

/** File descriptors of the process, as `stdio` above numbers them. */
const fd = { console: 3, channel: 4, terminal: 5, errors: 6, monitor: 7, initramfs: 8 } as const;

function qemuArguments(machine: Machine): string[] {
  const socket = (name: keyof typeof fd) => ['-chardev', `socket,id=${name},fd=${fd[name]}`];
  return [
    ...['-machine', 'pc', '-nodefaults', '-display', 'none', '-no-reboot', '-no-user-config'],
    // Patching hot code under thread=multi can leave a CPU spinning on a stale breakpoint byte.
    ...[
      '-accel',
      machine.accel === 'tcg' ? `tcg,thread=${machine.parallel === true ? 'multi' : 'single'}` : 'kvm',
      '-cpu',
      'max',
    ],
    ...(machine.instructionClock === undefined ? [] : ['-icount', `shift=${machine.instructionClock},sleep=off`]),
    ...['-smp', String(machine.cpus), '-m', `${machine.memory}M`],
    ...['-kernel', machine.kernel, '-initrd', `/proc/self/fd/${fd.initramfs}`, '-append', machine.append],
    ...socket('console'),
    ...['-serial', 'chardev:console'],
    ...socket('channel'),
    ...['-serial', 'chardev:channel'],
    // The PC's own numbers would make ttyS2 and ttyS3 share interrupts with the first two; ISA interrupts do not share well.
    ...socket('terminal'),
    ...['-device', 'isa-serial,index=2,chardev=terminal,irq=5'],
    ...socket('errors'),
    ...['-device', 'isa-serial,index=3,chardev=errors,irq=7'],
    ...socket('monitor'),
    ...['-mon', 'chardev=monitor,mode=readline'],
    ...(machine.share === undefined ? [] : sharedFolder(machine.share)),
    ...(machine.disk === undefined ? [] : disk(machine.disk)),
  ];
}

function sharedFolder(path: string): string[] {
  // In QEMU's option syntax a comma within a value is written twice.
  const value = path.replaceAll(',', ',,');
  return [
    ...['-fsdev', `local,id=host,path=${value},security_model=none,readonly=on,multidevs=remap`],
    ...['-device', 'virtio-9p-pci,fsdev=host,mount_tag=host'],
  ];
}

function disk(path: string): string[] {
  return [
    ...['-drive', `file=${path.replaceAll(',', ',,')},format=raw,if=none,id=disk`],
    ...['-device', 'virtio-blk-pci,drive=disk'],
  ];
}

async function running(child: ChildProcess): Promise<Qemu> {
  let errorOutput = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errorOutput = (errorOutput + chunk.toString()).slice(-8192);
  });
  const exited = new Promise<QemuExit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, errorOutput: errorOutput.trim() }));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new LivegraftError(qemuMissing({ program })) : error);
    });
  });
  const socket = (name: keyof typeof fd): Socket => {
    const stream = (child.stdio as unknown as readonly Socket[])[fd[name]]!;
    // A machine that is gone shows as `exited`, not as a broken pipe.
    stream.on('error', () => undefined);
    return stream;
  };
  const monitor = socket('monitor').resume();
  return {
    pid: child.pid!,
    console: socket('console'),
    channel: socket('channel'),
    terminal: socket('terminal'),
    errors: socket('errors'),
    exited,
    interrupt: () => void monitor.write('nmi\n'),
    stop: async () => {
      child.kill('SIGKILL');
      for (const name of ['console', 'channel', 'terminal', 'errors', 'monitor'] as const) socket(name).resume();
      await exited;
    },
  };
}

/** Has the kernel end the command when we end, be it by SIGKILL: prctl(PR_SET_PDEATHSIG), through util-linux's setpriv. */
async function dyingWithUs(command: readonly string[]): Promise<string[]> {
  // setpriv would turn a missing QEMU into an exit code.
  if (!(await inPath(command[0]!))) throw new LivegraftError(qemuMissing({ program: command[0]! }));
  return (await inPath('setpriv')) ? ['setpriv', '--pdeathsig', 'KILL', '--', ...command] : [...command];
}

async function inPath(name: string): Promise<boolean> {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    try {
      await access(join(folder, name), constants.X_OK);
      return true;
    } catch {
      // Not in this one.
    }
  }
  return false;
}

/** An open file that has no name any more: whatever kills us, nothing stays on the disk. */
async function unnamedFile(content: Uint8Array) {
  const folder = tmpdir();
  const path = join(folder, `livegraft-${process.pid}-${randomBytes(6).toString('hex')}`);
  const handle = await open(path, 'wx+', 0o600);
  try {
    await rm(path);
    await handle.writeFile(content);
    return handle;
  } catch (error) {
    await handle.close();
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? new LivegraftError(diskFull({ path: folder })) : error;
  }
}
