/** Where things are in the cache: one folder a kernel, downloads and package lists beside them. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { kernelNameInvalid } from '../diagnostics/kernel.ts';
import type { KernelPaths } from './types.ts';

/** `$XDG_CACHE_HOME/livegraft`. */
export function cacheDir(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base?.startsWith('/') ? base : join(homedir(), '.cache'), 'livegraft');
}

export function kernelsDir(): string {
  return join(cacheDir(), 'kernels');
}

/** A kernel's folder. Throws `kernel-name-invalid` for a name that could lead elsewhere. */
export function kernelDir(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,120}$/.test(name)) throw new LivegraftError(kernelNameInvalid({ name }));
  return join(kernelsDir(), name);
}

export function lockFile(name: string): string {
  return join(cacheDir(), 'locks', name);
}

/** apt's lists and state: of the system's own sources, or of a shelf (`shelves.ts`). */
export function aptDir(shelf?: string): string {
  return shelf === undefined ? join(cacheDir(), 'apt') : join(cacheDir(), 'apt-shelves', shelf);
}

/** Compilers and linkers out of packages, one folder each, named by their id. */
export function toolchainsDir(): string {
  return join(cacheDir(), 'toolchains');
}

/** Downloaded packages. */
export function debsDir(): string {
  return join(cacheDir(), 'debs');
}

/** What stands where in a kernel's folder; the same for every origin. */
export function pathsIn(dir: string, withModules: boolean): KernelPaths {
  return {
    vmlinuz: join(dir, 'image/vmlinuz'),
    vmlinux: join(dir, 'image/vmlinux'),
    config: join(dir, 'headers/.config'),
    symvers: join(dir, 'headers/Module.symvers'),
    source: join(dir, 'source'),
    build: join(dir, 'build'),
    ...(withModules ? { modules: join(dir, 'image/modules') } : {}),
  };
}
