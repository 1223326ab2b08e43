/** Whether the machine this runs on can be live-patched at all, before there is a bundle to ask about. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readRunningKernel } from '../host/kernel.ts';
import { livepatchFolder } from '../host/livepatch.ts';
import type { HostRoots } from '../host/roots.ts';
import { readProc } from '../host/tasks.ts';
import { switchedOff } from './standing.ts';

export interface Readiness {
  readonly what: string;
  /** `no`: nothing can be loaded; `limited`: it can, with what `found` says; `unknown`: this user may not look. */
  readonly state: 'yes' | 'no' | 'limited' | 'unknown';
  /** What stands there, in words. */
  readonly found: string;
}

/** @param isRoot other users cannot read the places that tell who is in the way */
export function readiness(roots: HostRoots, isRoot: boolean): Readiness[] {
  const { release, buildId, livepatching, modulesDisabled, signedOnly } = readRunningKernel(roots);
  const at = (...path: string[]): string => join(...path);
  const check = (what: string, good: boolean, yes: string, no: string, bad: 'no' | 'limited' = 'no'): Readiness =>
    good ? { what, state: 'yes', found: yes } : { what, state: bad, found: no };
  const ftrace = readProc(at(roots.proc, 'sys/kernel/ftrace_enabled'))?.trim();
  const off = switchedOff(roots);
  const traceRoots = ['kernel/tracing', 'kernel/debug/tracing'].map((path) => at(roots.sys, path, 'enabled_functions'));
  const folder = livepatchFolder(roots);
  return [
    check(
      'kernel',
      buildId !== undefined,
      `${release} (build-id ${buildId?.slice(0, 12)}…)`,
      `${release}; no build-id in ${at(roots.sys, 'kernel/notes')}, so no bundle can be known to fit`,
    ),
    check('livepatching', livepatching, `${folder} is there`, `${folder} is not there: CONFIG_LIVEPATCH is off`),
    check(
      'ftrace',
      ftrace === '1',
      'kernel.ftrace_enabled is 1',
      `kernel.ftrace_enabled is ${ftrace ?? 'not there'}: the kernel redirects nothing (sysctl kernel.ftrace_enabled=1)`,
    ),
    check(
      'modules',
      !modulesDisabled,
      'may be loaded',
      'kernel.modules_disabled is 1: none comes or goes until the next boot',
    ),
    check(
      'signatures',
      signedOnly === undefined,
      'unsigned modules are let in',
      `${signedOnly}: only modules with a signature that the kernel knows are let in`,
      'limited',
    ),
    isRoot
      ? check(
          'tracing',
          traceRoots.some((path) => existsSync(path)),
          'other users of ftrace can be seen',
          `${at(roots.sys, 'kernel/tracing')} is not mounted: other users of ftrace cannot be seen beforehand`,
          'limited',
        )
      : { what: 'tracing', state: 'unknown', found: 'only root can see other users of ftrace' },
    check('at boot', off === undefined, 'what is enabled gets loaded', `${off}: nothing gets loaded`, 'limited'),
  ];
}
