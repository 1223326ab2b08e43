/** What every long operation on kernels takes. */
import type { LockOptions } from '../support/lock.ts';
import type { Progress } from '../support/progress.ts';

export interface Options {
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** Adds the signal to other options when there is one. */
export function withSignal<T extends object>(
  options: T,
  { signal }: { readonly signal?: AbortSignal | undefined },
): T & { signal?: AbortSignal } {
  return signal === undefined ? options : { ...options, signal };
}

/** Waits for another owner of the lock for as long as it takes, and says so. */
export function lockOptions(what: string, { progress, signal }: Options): LockOptions {
  return withSignal(
    {
      what,
      wait: Number.POSITIVE_INFINITY,
      onWait: (pid: number) =>
        progress.detail(`waiting for ${pid > 0 ? `process ${pid}` : 'another livegraft'}, which works on ${what}`),
    },
    { signal },
  );
}
