/** When a transition began, and when the kernel first signalled those who are left: from the kernel's log (kernel/livepatch/transition.c). */
import { closeSync, constants, openSync, readSync } from 'node:fs';

export interface TransitionTimes {
  /** Seconds of the log's clock, about those of /proc/uptime. */
  readonly began: number;
  /** About 15 s later, if it lasts. From then on the kernel repeats its signal every 15 s, without a word. */
  readonly signalled?: number;
}

/** The kernel's tries before it signals, about one a second (SIGNALS_TIMEOUT). */
export const signalAfter = 15;

/** Of the newest transition of a livepatch to a side; undefined when the log no longer has it, or may not be read. */
export function transitionTimes(log: string, patch: string, target: 0 | 1): TransitionTimes | undefined {
  const start = `livepatch: '${patch}': starting ${target === 1 ? 'patching' : 'unpatching'} transition`;
  let times: TransitionTimes | undefined;
  for (const line of log.split('\n')) {
    // PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT (Documentation/ABI/testing/dev-kmsg)
    const [, time, text] = /^\d+,\d+,(\d+),[^;]*;(.*)$/.exec(line) ?? [];
    if (time === undefined || text === undefined || !text.startsWith('livepatch: ')) continue;
    const at = Number(time) / 1e6;
    if (text === start) times = { began: at };
    else if (text === 'livepatch: signaling remaining tasks' && times !== undefined)
      times = { ...times, signalled: at };
    else if (/: starting (un)?patching transition$/.test(text)) times = undefined;
  }
  return times;
}

/** All records that the log still has, a line each; empty when it may not be read. */
export function readKernelLog(path = '/dev/kmsg'): string {
  let descriptor: number | undefined;
  const buffer = Buffer.alloc(8192);
  const records: string[] = [];
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    for (;;) {
      try {
        const size = readSync(descriptor, buffer);
        if (size === 0) break;
        records.push(buffer.toString('utf8', 0, size));
      } catch (error) {
        // records were overwritten before they were read: the next one is there
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') break;
      }
    }
  } catch {
    // no log for us
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return records.map((record) => record.trimEnd()).join('\n');
}
