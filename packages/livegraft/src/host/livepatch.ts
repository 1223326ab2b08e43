/**
 * The livepatches that the running kernel knows: /sys/kernel/livepatch/PATCH/{enabled,transition,replace,stack_order,OBJECT/{patched,FUNCTION,POSITION}}
 * (Documentation/ABI/testing/sysfs-kernel-livepatch). Entries come and go while they are read: what vanished is left out.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LivegraftNote } from '../support/livegraft-note.ts';
import { moduleOrder, readModule } from './modules.ts';
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

/** `enabling`, `disabling`: in transition, to that side. `inactive`: the moment before the kernel forgets it. */
export type LivepatchState = 'enabling' | 'active' | 'disabling' | 'inactive';

export interface Livepatch {
  /** Of its module too. */
  readonly name: string;
  readonly state: LivepatchState;
  readonly enabled: boolean;
  readonly inTransition: boolean;
  /** Whether it replaces all others; kernels before 6.11 do not say. */
  readonly replace?: boolean;
  /** GNU build-id of its module. */
  readonly buildId?: string;
  /** What its module says of itself; only those that livegraft made do. */
  readonly note?: LivegraftNote;
  readonly objects: readonly LivepatchObject[];
}

export interface LivepatchObject {
  /** `vmlinux` or a module, which need not be loaded. */
  readonly name: string;
  /** Whether its functions are replaced now; kernels before 6.1 do not say. */
  readonly patched?: boolean;
  readonly functions: readonly LivepatchFunction[];
}

export interface LivepatchFunction {
  readonly name: string;
  /** Its number among the symbols of this name in the object, from 1: the kernel shows 1 where a module says 0 (the only one). */
  readonly position: number;
}

export function livepatchFolder(roots: HostRoots): string {
  return join(roots.sys, 'kernel/livepatch');
}

/**
 * All livepatches, the oldest first: of several on one function the last one runs. Empty, too, where the kernel has no livepatching.
 * The kernel's own `stack_order` where it has it (6.14), else the order in which their modules came.
 */
export function readLivepatches(roots: HostRoots): Livepatch[] {
  const modules = moduleOrder(roots);
  const ranked = folders(livepatchFolder(roots)).flatMap((name) => {
    const livepatch = readLivepatch(roots, name);
    if (livepatch === undefined) return [];
    const stacked = Number.parseInt(readProc(join(livepatchFolder(roots), name, 'stack_order')) ?? '', 10);
    const loaded = modules.includes(name) ? modules.indexOf(name) : modules.length;
    return [{ livepatch, stacked, loaded }];
  });
  const key = ranked.some(({ stacked }) => Number.isNaN(stacked)) ? 'loaded' : 'stacked';
  return ranked
    .sort((a, b) => a[key] - b[key] || a.livepatch.name.localeCompare(b.livepatch.name, 'en'))
    .map(({ livepatch }) => livepatch);
}

/** One livepatch; undefined when the kernel does not know it (any more). */
export function readLivepatch(roots: HostRoots, name: string): Livepatch | undefined {
  const state = readSwitch(roots, name);
  if (state === undefined) return undefined;
  const folder = join(livepatchFolder(roots), name);
  const objects = folders(folder).map((object): LivepatchObject => {
    const patched = readFlag(join(folder, object, 'patched'));
    return {
      name: object,
      ...(patched === undefined ? {} : { patched }),
      functions: folders(join(folder, object)).map(parseFunction),
    };
  });
  // it may have gone while its objects were read: half a livepatch is none
  if (readSwitch(roots, name) === undefined) return undefined;
  const replace = readFlag(join(folder, 'replace'));
  const { buildId, note } = readModule(roots, name) ?? {};
  return {
    name,
    ...state,
    ...(replace === undefined ? {} : { replace }),
    ...(buildId === undefined ? {} : { buildId }),
    ...(note === undefined ? {} : { note }),
    objects: objects.sort((a, b) => Number(b.name === 'vmlinux') - Number(a.name === 'vmlinux')),
  };
}

/** Where a livepatch stands, in two small reads; undefined when the kernel does not know it (any more). */
export function readSwitch(
  roots: HostRoots,
  name: string,
): Pick<Livepatch, 'state' | 'enabled' | 'inTransition'> | undefined {
  const folder = join(livepatchFolder(roots), name);
  const inTransition = readFlag(join(folder, 'transition'));
  const enabled = readFlag(join(folder, 'enabled'));
  if (inTransition === undefined || enabled === undefined) return undefined;
  const state = enabled ? (inTransition ? 'enabling' : 'active') : inTransition ? 'disabling' : 'inactive';
  return { state, enabled, inTransition };
}

/** The livepatch in transition: the kernel has one at most. */
export function findTransition(roots: HostRoots): Livepatch | undefined {
  return readLivepatches(roots).find(({ inTransition }) => inTransition);
}

/** `NAME,POSITION`; names may hold dots. */
function parseFunction(entry: string): LivepatchFunction {
  const comma = entry.lastIndexOf(',');
  const position = Number(entry.slice(comma + 1));
  return comma > 0 && Number.isInteger(position)
    ? { name: entry.slice(0, comma), position }
    : { name: entry, position: 1 };
}

function readFlag(path: string): boolean | undefined {
  const text = readProc(path)?.trim();
  return text === '1' ? true : text === '0' ? false : undefined;
}

function folders(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch {
    return [];
  }
}
