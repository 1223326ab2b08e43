/** Kernel modules inside the guest: their files, and the tables by which busybox's modprobe finds them (depmod's modules.dep, modules.alias, modules.builtin). */
import { readFile } from 'node:fs/promises';
import { compressionOf } from '@livegraft/binfmt/bzimage';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { guestFileUnreadable } from '../diagnostics/vm.ts';
import { decompress } from '../kernel/decompress.ts';

export interface GuestModule {
  /** As the kernel names it: with `_`, not `-`. */
  readonly name: string;
  /** The .ko on the host (may be compressed: .xz, .zst, .gz), or its bytes. Absent: the kernel has it built in. */
  readonly file?: string | Uint8Array;
  /** Names of the modules it needs directly; when left out, all that come before it. */
  readonly depends?: readonly string[];
  /** Aliases by which the kernel asks for it (`fs-ext4`, `crypto-crc32c`). */
  readonly aliases?: readonly string[];
}

export interface PackedFile {
  readonly path: string;
  readonly data: Uint8Array;
}

/** Files under lib/modules/RELEASE for modules given in load order. */
export async function moduleFiles(release: string, modules: readonly GuestModule[]): Promise<PackedFile[]> {
  const root = `lib/modules/${release}`;
  const files: PackedFile[] = [];
  const loadable: GuestModule[] = [];
  for (const module of modules) {
    const { name, file } = module;
    if (file === undefined) continue;
    files.push({ path: `${root}/${name}.ko`, data: await moduleBytes(name, file) });
    loadable.push(module);
  }
  const builtin = modules.filter(({ file }) => file === undefined).map(({ name }) => `kernel/${name}.ko`);
  const text = (name: string, lines: readonly string[]): PackedFile => ({
    path: `${root}/${name}`,
    data: new TextEncoder().encode(lines.map((line) => `${line}\n`).join('')),
  });
  const aliases = loadable.flatMap(({ name, aliases = [] }) => aliases.map((alias) => `alias ${alias} ${name}`));
  return [
    ...files,
    text('modules.dep', dependencyLines(loadable)),
    text('modules.alias', aliases),
    text('modules.builtin', builtin),
  ];
}

/** modules.dep, one line a module: itself, then everything it needs, also indirectly, the first to load last. */
export function dependencyLines(modules: readonly GuestModule[]): string[] {
  const needs = new Map<string, string[]>();
  return modules.map(({ name, depends }) => {
    const direct = depends ?? [...needs.keys()];
    const wanted = new Set(direct.flatMap((other) => [...(needs.get(other) ?? []), other]));
    const all = modules.map((module) => module.name).filter((other) => wanted.has(other));
    needs.set(name, all);
    return [`${name}.ko:`, ...all.toReversed().map((other) => `${other}.ko`)].join(' ');
  });
}

/** The .ko's plain bytes; which compression, the first bytes tell. */
async function moduleBytes(name: string, file: string | Uint8Array): Promise<Uint8Array> {
  const unreadable = (reason: string): LivegraftError =>
    new LivegraftError(guestFileUnreadable({ path: typeof file === 'string' ? file : name, reason }));
  const bytes =
    typeof file === 'string'
      ? await readFile(file).catch((error: Error) => Promise.reject(unreadable(error.message)))
      : file;
  const compression = compressionOf(bytes);
  return compression === undefined ? bytes : decompress(bytes, compression, unreadable);
}
