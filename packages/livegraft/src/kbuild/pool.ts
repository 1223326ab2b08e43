/** Work on many things at once: as many at a time as there are processors; the first failure ends the others. */
import { availableParallelism } from 'node:os';

/** Results in the order of the items. All work has ended when this returns or throws. */
export async function inPool<T, R>(
  items: readonly T[],
  work: (item: T, signal: AbortSignal) => Promise<R>,
  outer?: AbortSignal,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  const failed = new AbortController();
  const signal = outer === undefined ? failed.signal : AbortSignal.any([outer, failed.signal]);
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const index = next++;
      try {
        signal.throwIfAborted();
        results[index] = await work(items[index]!, signal);
      } catch (error) {
        failure ??= { error };
        failed.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), items.length) }, worker));
  if (failure !== undefined) throw failure.error;
  return results;
}
