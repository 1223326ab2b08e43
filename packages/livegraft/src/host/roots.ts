/** Where the running kernel shows itself; tests give folders with files as a kernel wrote them. */
export interface HostRoots {
  readonly sys: string;
  readonly proc: string;
}

export const hostRoots: HostRoots = { sys: '/sys', proc: '/proc' };
