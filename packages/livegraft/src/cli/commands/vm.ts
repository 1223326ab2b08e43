/** livegraft vm: a command or a shell in a kernel of the cache. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import process from 'node:process';
import { Writable } from 'node:stream';
import { buildCommand } from '@stricli/core';
import { define, Exit, LivegraftError } from '../../diagnostics/diagnostic.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { type GuestFlags, guestFlags } from '../guest-flags.ts';

interface Flags extends CommonFlags, GuestFlags {
  readonly module?: string[];
  readonly share: boolean;
  readonly disk?: string;
}

const shareNeedsModules = define<{ kernel: string }>('vm-share-needs-modules', {
  exit: Exit.usage,
  message: ({ kernel }) =>
    `Kernel ${kernel} was added without its modules, and without those of virtio and 9p a guest cannot see this machine’s folders`,
  hint: 'add the kernel with --modules, or use --no-share',
});

const shellNotJson = define<Record<string, never>>('vm-shell-not-json', {
  exit: Exit.usage,
  message: () => 'A shell on the terminal has no JSON document to print',
  hint: 'give a command behind --, or leave --json away',
});

export const vm = buildCommand<Flags, string[], Context>({
  docs: {
    brief: 'A shell or a command in a kernel of the cache, in a virtual machine',
    fullDescription:
      'The folders of this machine are there in the guest, read-only underneath: what is written stays in the guest. livegraft itself runs in it too. Ends with the command’s exit code.\n\nExample: livegraft vm 6.1.0-55-amd64 -- uname -a\n         livegraft vm 6.1.0-55-amd64',
  },
  parameters: {
    flags: {
      ...commonFlags,
      module: {
        kind: 'parsed',
        parse: String,
        optional: true,
        variadic: true,
        brief: 'Load this module first',
        placeholder: 'NAME',
      },
      share: { kind: 'boolean', default: true, brief: 'This machine’s folders in the guest' },
      disk: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'A file that the guest has as its disk /dev/vda, raw; what it writes there stays',
        placeholder: 'FILE',
      },
      ...guestFlags('2048'),
    },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: {
        brief: 'The release, then the command behind --',
        parse: String,
        placeholder: 'RELEASE [-- COMMAND]',
      },
    },
  },
  async func({ module: extra = [], share, disk, accel, cpus, memory, ...flags }, release, ...command) {
    await perform(this, 'vm', flags, async ({ progress, signal, print, json }) => {
      const [{ openKernel }, { guestModules }, guest] = await Promise.all([
        import('../../kernel/store.ts'),
        import('../../trial/try.ts'),
        import('../../vm/shell.ts'),
      ]);
      if (json && command.length === 0) throw new LivegraftError(shellNotJson({}));
      const kernel = await openKernel(release!);
      if (share && kernel.paths.modules === undefined)
        throw new LivegraftError(shareNeedsModules({ kernel: kernel.name }));
      if (disk !== undefined) await access(disk, constants.R_OK | constants.W_OK);
      const load = [
        ...(share ? guest.shareModules : []),
        ...(disk === undefined ? [] : ['virtio_pci', 'virtio_blk']),
        ...extra,
      ];
      const options = {
        kernel: { release: kernel.release, vmlinuz: kernel.paths.vmlinuz, vmlinux: kernel.paths.vmlinux },
        modules: await guestModules(kernel, load),
        load,
        accel,
        cpus,
        memory,
        ...(share ? { share: '/', cwd: process.cwd() } : {}),
        ...(disk === undefined ? {} : { disk: resolve(disk) }),
        progress,
        signal,
      };
      // under --json stdout belongs to the document: what the command says goes into it
      const collected = json ? { stdout: new Collected(), stderr: new Collected() } : undefined;
      const ran =
        command.length > 0
          ? await guest.runInGuest(options, command, collected ?? process)
          : await guest.runOnTerminal(options, [], { input: process.stdin, output: process.stdout });
      if (ran === 'escaped') return { result: { end: 'escaped' } };
      if (ran.exitCode === undefined) print(`The guest ended before the command did: ${ran.run.why}`);
      return {
        result: {
          exitCode: ran.exitCode ?? null,
          end: ran.run.end,
          why: ran.run.why,
          ...(collected === undefined ? {} : { stdout: collected.stdout.text, stderr: collected.stderr.text }),
        },
        exit: ran.exitCode ?? Exit.failed,
      };
    });
  },
});

/** Keeps what is written to it, as text. */
class Collected extends Writable {
  readonly #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
