/** Where the running kernel shows itself, and where livegraft keeps its own files; tests give folders with files as a kernel wrote them. */
export interface HostRoots {
  readonly sys: string;
  readonly proc: string;
  /** Journal and enabled bundles: what was tried and what is wanted, never what is. */
  readonly state: string;
  readonly etc: string;
  readonly run: string;
}

export const hostRoots: HostRoots = {
  sys: '/sys',
  proc: '/proc',
  state: '/var/lib/livegraft',
  etc: '/etc/livegraft',
  run: '/run/livegraft',
};
