/** A command, or a shell on the terminal, in another kernel: with the host's folder tree around it, read-only underneath, and its exit code brought back. */
import type { Readable, Writable } from 'node:stream';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { guestTrouble } from '../diagnostics/vm.ts';
import { type Progress, silent } from '../support/progress.ts';
import { type AccelWish, chooseAccel } from './accel.ts';
import { type GuestOptions, type GuestRun, runGuest } from './guest.ts';
import type { FileSource } from './initramfs.ts';
import type { Qemu } from './qemu.ts';

export interface CommandOptions extends GuestOptions {
  readonly accel?: AccelWish;
  readonly progress?: Progress;
  /** Modules to load before the command, by name, out of those packed; a shared folder needs `shareModules`. */
  readonly load?: readonly string[];
  /** Where the command starts, when it exists in the guest. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What a guest must load to show a folder of the host (their dependencies come by themselves). */
export const shareModules = ['virtio_pci', '9pnet_virtio', '9p', 'overlay'] as const;

export interface CommandResult {
  /** Of the command; absent when the guest ended before it: `run` then says how. */
  readonly exitCode?: number;
  readonly run: GuestRun;
}

/**
 * Runs one command in the guest, without a terminal: its output and error output, byte for byte, into the two streams; it reads nothing.
 * Throws like `runGuest`, and `vm-guest-trouble` when the guest cannot be prepared (a module that does not load, a folder that does not mount).
 */
export function runInGuest(
  options: CommandOptions,
  command: readonly string[],
  output: { readonly stdout: Writable; readonly stderr: Writable },
): Promise<CommandResult> {
  return runCommand(options, command, undefined, (qemu) => {
    qemu.terminal.pipe(output.stdout, { end: false });
    qemu.errors.pipe(output.stderr, { end: false });
  });
}

/** A terminal as Node has it: `process.stdin` and `process.stdout`. */
export interface Terminal {
  readonly input: Readable & { setRawMode?(raw: boolean): unknown };
  readonly output: Writable & { readonly rows?: number; readonly columns?: number };
}

/** Ctrl-], as in telnet: ends the guest whatever it does. */
const escapeKey = 0x1d;

/**
 * Runs a command (a shell, when it is empty) on the terminal, which belongs to the guest until it ends; Ctrl-] ends it at once.
 * Throws like `runInGuest`.
 */
export async function runOnTerminal(
  options: CommandOptions,
  command: readonly string[],
  terminal: Terminal,
): Promise<CommandResult | 'escaped'> {
  const escaped = new AbortController();
  const { input, output } = terminal;
  let forward: ((chunk: Buffer) => void) | undefined;
  try {
    const signal = options.signal === undefined ? escaped.signal : AbortSignal.any([options.signal, escaped.signal]);
    return await runCommand({ ...options, signal }, command, terminal, (qemu) => {
      qemu.terminal.pipe(output, { end: false });
      input.setRawMode?.(true);
      forward = (chunk) => {
        if (chunk.includes(escapeKey)) escaped.abort(new Error('the guest was ended by Ctrl-]'));
        else qemu.terminal.write(chunk);
      };
      input.on('data', forward);
    });
  } catch (error) {
    if (escaped.signal.aborted && error === escaped.signal.reason) return 'escaped';
    throw error;
  } finally {
    if (forward !== undefined) input.off('data', forward);
    input.setRawMode?.(false);
    input.pause();
  }
}

async function runCommand(
  options: CommandOptions,
  command: readonly string[],
  terminal: Terminal | undefined,
  onStart: (qemu: Qemu) => void,
): Promise<CommandResult> {
  const accel = await chooseAccel(options.accel ?? 'tcg', options, options.progress ?? silent);
  const files: Record<string, FileSource> = {
    ...options.files,
    '/livegraft/command.env': encode(settings(options, terminal)),
    '/livegraft/run.sh': encode(commandText(options, command)),
  };
  let exitCode: number | undefined;
  let trouble: string | undefined;
  const run = await runGuest(
    // A command gives no signs of life while it works: only its kernel's death ends the wait.
    { ...options, files, silence: Number.POSITIVE_INFINITY },
    {
      main: 'command',
      accel,
      onStart,
      onEvent: (event) => {
        if (event.kind === 'exit') exitCode = event.code;
        if (event.kind === 'trouble') trouble = event.text;
      },
    },
  );
  if (trouble !== undefined) throw new LivegraftError(guestTrouble({ what: trouble }));
  return { run, ...(exitCode === undefined ? {} : { exitCode }) };
}

/** Sourced by guest/command.sh. */
function settings({ load = [], share }: CommandOptions, terminal: Terminal | undefined): string {
  const values: Record<string, string> = {
    load: load.join(' '),
    share: share ?? '',
    interactive: terminal === undefined ? '0' : '1',
    rows: String(terminal?.output.rows ?? 24),
    columns: String(terminal?.output.columns ?? 80),
    term: process.env['TERM'] ?? 'dumb',
  };
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quote(value)}\n`)
    .join('');
}

function commandText({ cwd, env = {} }: CommandOptions, command: readonly string[]): string {
  return [
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`),
    ...(cwd === undefined ? [] : [`cd ${quote(cwd)} 2>/dev/null`]),
    command.length === 0 ? 'exec sh -i' : `exec ${command.map(quote).join(' ')}`,
    '',
  ].join('\n');
}

/** One word for a POSIX shell, whatever is in it. */
export function quote(word: string): string {
  return /^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
