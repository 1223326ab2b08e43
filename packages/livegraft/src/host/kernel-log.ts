/** The kernel's log from one moment on: /dev/kmsg gives one record a read (Documentation/ABI/testing/dev-kmsg). */
import { closeSync, constants, openSync, readSync } from 'node:fs';

/** Longer than any record. */
const recordSize = 8192;

export class KernelLog {
  #descriptor: number | undefined;
  readonly #buffer = Buffer.alloc(recordSize);

  /** Opened now: what was said before is passed over. A log that may not be read stays empty. */
  constructor(path = '/dev/kmsg') {
    try {
      this.#descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch {
      return;
    }
    this.lines();
  }

  /** What the kernel has said since the last call, without times. */
  lines(): string[] {
    const lines: string[] = [];
    for (let record = this.#next(); record !== undefined; record = this.#next()) {
      // PRIORITY,SEQUENCE,TIME,FLAGS;TEXT, then lines of details that begin with a space
      const text = record.slice(record.indexOf(';') + 1).split('\n', 1)[0]!;
      if (text !== '') lines.push(text);
    }
    return lines;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #next(): string | undefined {
    if (this.#descriptor === undefined) return undefined;
    try {
      const size = readSync(this.#descriptor, this.#buffer);
      return size === 0 ? undefined : this.#buffer.toString('utf8', 0, size);
    } catch (error) {
      // EPIPE: records were overwritten before they were read; the next one is there
      return (error as NodeJS.ErrnoException).code === 'EPIPE' ? '' : undefined;
    }
  }
}
