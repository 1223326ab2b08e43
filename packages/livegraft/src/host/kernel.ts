/** The running kernel: which one it is, and what it lets in. */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { livepatchFolder } from './livepatch.ts';
import { readBuildId } from './modules.ts';
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

export interface RunningKernel {
  readonly release: string;
  /** GNU build-id of its image; /sys/kernel/notes has it. */
  readonly buildId?: string;
  readonly livepatching: boolean;
  /** kernel.modules_disabled: no module comes or goes until the next boot. */
  readonly modulesDisabled: boolean;
  /** Why only signed modules are let in (lockdown, module.sig_enforce); undefined when unsigned ones are. */
  readonly signedOnly?: string;
  /** Bytes that new allocations can have. */
  readonly memoryAvailable?: number;
}

export function readRunningKernel(roots: HostRoots): RunningKernel {
  const buildId = readBuildId(join(roots.sys, 'kernel/notes'));
  const signedOnly = whySigned(roots);
  const memory = /^MemAvailable:\s+(\d+) kB$/m.exec(readProc(join(roots.proc, 'meminfo')) ?? '')?.[1];
  return {
    release: readProc(join(roots.proc, 'sys/kernel/osrelease'))?.trim() ?? '',
    ...(buildId === undefined ? {} : { buildId }),
    livepatching: statSync(livepatchFolder(roots), { throwIfNoEntry: false })?.isDirectory() ?? false,
    modulesDisabled: readProc(join(roots.proc, 'sys/kernel/modules_disabled'))?.trim() === '1',
    ...(signedOnly === undefined ? {} : { signedOnly }),
    ...(memory === undefined ? {} : { memoryAvailable: Number(memory) * 1024 }),
  };
}

function whySigned(roots: HostRoots): string | undefined {
  // the chosen one of `[none] integrity confidentiality` is in brackets
  const lockdown = /\[(\w+)\]/.exec(readProc(join(roots.sys, 'kernel/security/lockdown')) ?? '')?.[1];
  if (lockdown !== undefined && lockdown !== 'none') return `lockdown is ${lockdown}`;
  const enforced = readProc(join(roots.sys, 'module/module/parameters/sig_enforce'))?.trim();
  return enforced === 'Y' ? 'module.sig_enforce is set' : undefined;
}
