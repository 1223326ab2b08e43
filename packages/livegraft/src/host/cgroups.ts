/** Where a task stands in the cgroup v2 hierarchy, and who froze it there (Documentation/admin-guide/cgroup-v2.rst). */
import { dirname, join } from 'node:path';
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

/** Where the hierarchy is mounted; undefined when it is not. */
export function cgroupRoot(roots: HostRoots): string | undefined {
  return /^\S+ (\S+) cgroup2 /m.exec(readProc(`${roots.proc}/mounts`) ?? '')?.[1];
}

/** The cgroup of a task, `/` for the root; undefined when it is gone, or in no such hierarchy. */
export function cgroupOf(roots: HostRoots, pid: number, tid: number): string | undefined {
  return /^0::(.*)$/m.exec(readProc(`${roots.proc}/${pid}/task/${tid}/cgroup`) ?? '')?.[1];
}

/** The nearest cgroup from a task's own upwards that somebody froze, as a folder; undefined when none is. */
export function frozenBy(roots: HostRoots, pid: number, tid: number): string | undefined {
  const [root, own] = [cgroupRoot(roots), cgroupOf(roots, pid, tid)];
  if (root === undefined || own === undefined) return undefined;
  for (let at = own; at !== '/'; at = dirname(at)) {
    const folder = join(root, at);
    if (readProc(join(folder, 'cgroup.freeze'))?.trim() === '1') return folder;
  }
  return undefined;
}
