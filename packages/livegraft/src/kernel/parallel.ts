/** Branches of work side by side: when one fails the others are ended, and have ended, before the error goes on. */
import { setMaxListeners } from 'node:events';
import type { Options } from './options.ts';

/** Makes a promise one of the branches. */
export type Branch = <T>(work: Promise<T>) => Promise<T>;

/** Runs `work`, whose branches get options with a signal that also fires when another branch fails. Throws the first failure. */
export async function inParallel<T>(
  options: Options,
  work: (options: Options, branch: Branch) => Promise<T>,
): Promise<T> {
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  // every download and program of every branch listens
  setMaxListeners(0, signal);
  const branches: Promise<unknown>[] = [];
  let first: { readonly error: unknown } | undefined;
  const branch: Branch = (promise) => {
    branches.push(
      promise.catch((error: unknown) => {
        first ??= { error };
        failed.abort(error);
      }),
    );
    return promise;
  };
  try {
    return await branch(work({ ...options, signal }, branch));
  } catch (error) {
    await Promise.all(branches);
    throw first?.error ?? error;
  }
}
