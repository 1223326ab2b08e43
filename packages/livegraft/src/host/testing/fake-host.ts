/** A small /sys and /proc in a folder, as 6.1.0-55-amd64 wrote them in a guest (files and their text; the numbers of addresses are that boot's). */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { HostRoots } from '../roots.ts';

/** Path → content, `sys/…` and `proc/…`; an empty folder ends with a slash. */
export type FakeFiles = Readonly<Record<string, string | Uint8Array>>;

export interface FakeHost {
  readonly roots: HostRoots;
  /** Adds or changes files. */
  write(files: FakeFiles): void;
  remove(path: string): void;
}

/** It is gone when the test ends that made it, itself or before it began. */
export function fakeHost(files: FakeFiles = {}): FakeHost {
  const folder = mkdtempSync(join(tmpdir(), 'livegraft-host-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const host: FakeHost = {
    roots: {
      sys: join(folder, 'sys'),
      proc: join(folder, 'proc'),
      state: join(folder, 'state'),
      etc: join(folder, 'etc'),
      run: join(folder, 'run'),
    },
    write: (more) => {
      for (const [path, content] of Object.entries(more)) {
        const at = join(folder, path);
        mkdirSync(path.endsWith('/') ? at : dirname(at), { recursive: true });
        if (!path.endsWith('/')) writeFileSync(at, content);
      }
    },
    remove: (path) => rmSync(join(folder, path), { recursive: true, force: true }),
  };
  host.write({ ...kernel, ...files });
  return host;
}

export const bootId = '0b1b2b3b-4b5b-4b7b-8b9b-abbbcbdbebfb';
export const kernelId = '210cfeaa36862392f72c64cd5b63aa31dd0445c2';

/** A GNU build-id note behind one of Xen's, as in /sys/kernel/notes. */
const kernelNotes = Buffer.concat([
  Buffer.from('0400000006000000060000005865 6e006c696e7578000000'.replaceAll(' ', ''), 'hex'),
  buildIdNote(kernelId),
]);

const kernel: FakeFiles = {
  'sys/kernel/livepatch/': '',
  'sys/kernel/notes': kernelNotes,
  'sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
  'sys/kernel/tracing/enabled_functions': '',
  'sys/kernel/debug/kprobes/list': '',
  'sys/module/module/parameters/sig_enforce': 'N\n',
  'proc/cmdline': 'BOOT_IMAGE=/vmlinuz-6.1.0-55-amd64 ro quiet\n',
  'proc/sys/kernel/random/boot_id': `${bootId}\n`,
  'proc/uptime': '34.80 11.44\n',
  'proc/sys/kernel/osrelease': '6.1.0-55-amd64\n',
  'proc/sys/kernel/modules_disabled': '0\n',
  'proc/modules': '',
  'proc/meminfo': 'MemTotal:        2012132 kB\nMemFree:         1955472 kB\nMemAvailable:    1890612 kB\n',
};

export function buildIdNote(id: string): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(4, 0);
  head.writeUInt32LE(id.length / 2, 4);
  head.writeUInt32LE(3, 8);
  return Buffer.concat([head, Buffer.from('GNU\0'), Buffer.from(id, 'hex')]);
}

/** What /sys/module/NAME has of a loaded module; its line in /proc/modules is the caller's. */
export function moduleFiles(name: string, id: string, taint = ''): FakeFiles {
  return {
    [`sys/module/${name}/initstate`]: 'live\n',
    [`sys/module/${name}/refcnt`]: '1\n',
    [`sys/module/${name}/taint`]: `${taint}\n`,
    [`sys/module/${name}/notes/.note.gnu.build-id`]: buildIdNote(id),
  };
}

/** A livepatch of functions, `OBJECT/NAME,POSITION`, with its module. */
export function livepatchFiles(
  name: string,
  functions: readonly string[],
  { id = '22a8ec2abcdae7736b338628d99258c8bc8c1a73', enabled = 1, transition = 0 } = {},
): FakeFiles {
  const folder = `sys/kernel/livepatch/${name}`;
  return {
    ...moduleFiles(name, id, 'OEK'),
    [`${folder}/enabled`]: `${enabled}\n`,
    [`${folder}/transition`]: `${transition}\n`,
    [`${folder}/force`]: '',
    ...Object.fromEntries(
      functions.flatMap((each) => [
        [`${folder}/${each}/`, ''],
        [`${folder}/${each.split('/', 1)[0]}/patched`, '1\n'],
      ]),
    ),
  };
}

/** A line of /proc/modules. */
export function moduleLine(name: string, taint = ' (OEK)'): string {
  return `${name} 16384 1 - Live 0xffffffffc0301000${taint}\n`;
}

/** One thread of a process, on a side (-1 no transition), with its stack. */
export function taskFiles(pid: number, comm: string, patchState: -1 | 0 | 1, stack = ''): FakeFiles {
  const folder = `proc/${pid}/task/${pid}`;
  const rest = '-1 4194304 86 0 0 0 0 0 0 0 20 0 1 0 797 2887680 236 18446744073709551615 1 1 0 0 0 0 0 0 0';
  return {
    [`${folder}/stat`]: `${pid} (${comm}) S 1 ${pid} ${pid} 0 ${rest} 1 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n`,
    [`${folder}/patch_state`]: `${patchState}\n`,
    [`${folder}/stack`]: stack,
  };
}
