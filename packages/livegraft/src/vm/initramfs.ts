/** The guest's whole file system, made by livegraft itself: busybox, the agent, modules, bundles, scripts, files. */
import { readFile, stat } from 'node:fs/promises';
import { type CpioEntry, writeCpio } from '@livegraft/binfmt/cpio';
import { readElf, sectionNamed } from '@livegraft/binfmt/elf/read';
import { FormatError } from '@livegraft/binfmt/format-error';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { busyboxMissing, guestFileUnreadable } from '../diagnostics/vm.ts';
import { type GuestModule, moduleFiles } from './guest-modules.ts';

/** A file of the host, by path, or its content. */
export type FileSource = string | Uint8Array;

export interface InitramfsOptions {
  /** `uname -r` of the guest: names the folder of its modules. */
  readonly release: string;
  /** In load order: what a module needs comes before it. */
  readonly modules?: readonly GuestModule[];
  /** Further files: absolute path in the guest → source. They keep the host file's executable bit. */
  readonly files?: Readonly<Record<string, FileSource>>;
  /** What the guest is for: its script (guest/NAME.sh), run by guest/init.sh. */
  readonly main: 'trial' | 'command';
  /** Where busybox is; by default the system's, if it is static. */
  readonly busybox?: string;
}

const folders = [
  'bin',
  'dev',
  'etc',
  'lib',
  'livegraft',
  'mnt',
  'proc',
  'root',
  'run',
  'sbin',
  'sys',
  'tmp',
  'usr/bin',
  'usr/sbin',
];

/** The archive for QEMU's `-initrd`, uncompressed. Throws `vm-busybox-missing` and `vm-file-unreadable`. */
export async function makeInitramfs(options: InitramfsOptions): Promise<Uint8Array> {
  const tree = new Tree();
  for (const folder of folders) tree.folder(folder);
  tree.device('dev/console', 5, 1);
  tree.device('dev/null', 1, 3);
  tree.file('bin/busybox', await findBusybox(options.busybox), true);
  tree.link('bin/sh', 'busybox');
  tree.link('etc/mtab', '../proc/mounts');
  tree.file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n');
  tree.file('etc/group', 'root:x:0:\n');
  tree.file('init', await agentFile('init'), true);
  tree.file('livegraft/main.sh', await agentFile(options.main));
  for (const { path, data } of await moduleFiles(options.release, options.modules ?? [])) tree.file(path, data);
  for (const [path, source] of Object.entries(options.files ?? {})) {
    const { data, executable } = await readSource(source);
    tree.file(path.replace(/^\/+/, ''), data, executable);
  }
  return writeCpio(tree.entries);
}

const busyboxPlaces = ['/bin/busybox', '/usr/bin/busybox', '/usr/lib/busybox/bin/busybox'];

/** The first static busybox: one that needs a loader and libraries could not run in the guest. */
async function findBusybox(wanted: string | undefined): Promise<Uint8Array> {
  const tried = wanted === undefined ? busyboxPlaces : [wanted];
  let found = '';
  for (const path of tried) {
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes === undefined) continue;
    try {
      if (sectionNamed(readElf(bytes), '.interp') === undefined) return bytes;
      found = `${path} is linked dynamically`;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      found = `${path} is no x86-64 program: ${error.message}`;
    }
  }
  throw new LivegraftError(busyboxMissing({ tried, found }));
}

/** The guest's scripts lie beside src/ and dist/, as plain shell files. */
function agentFile(name: 'init' | 'trial' | 'command'): Promise<Uint8Array> {
  return readFile(new URL(`../../guest/${name}.sh`, import.meta.url));
}

async function readSource(source: FileSource): Promise<{ data: Uint8Array; executable: boolean }> {
  if (typeof source !== 'string') return { data: source, executable: false };
  try {
    return { data: await readFile(source), executable: ((await stat(source)).mode & 0o111) !== 0 };
  } catch (error) {
    throw new LivegraftError(guestFileUnreadable({ path: source, reason: (error as Error).message }));
  }
}

/** Members in order, each folder before what it holds, each path once (the later file wins). */
class Tree {
  readonly #members = new Map<string, CpioEntry>();

  get entries(): CpioEntry[] {
    return [...this.#members.values()];
  }

  folder(path: string): void {
    if (path === '' || this.#members.has(path)) return;
    this.#parent(path);
    this.#members.set(path, { kind: 'dir', path, permissions: path === 'tmp' ? 0o1777 : 0o755 });
  }

  file(path: string, content: string | Uint8Array, executable = false): void {
    this.#parent(path);
    const data = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    this.#members.set(path, { kind: 'file', path, permissions: executable ? 0o755 : 0o644, data });
  }

  link(path: string, target: string): void {
    this.#parent(path);
    this.#members.set(path, { kind: 'symlink', path, permissions: 0o777, target });
  }

  device(path: string, major: number, minor: number): void {
    this.#parent(path);
    this.#members.set(path, { kind: 'char', path, permissions: 0o600, major, minor });
  }

  #parent(path: string): void {
    this.folder(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  }
}
