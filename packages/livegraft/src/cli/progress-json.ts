/** Progress for programs: one JSON object a line (NDJSON). */
import type { Progress } from '../support/progress.ts';

export class JsonProgress implements Progress {
  readonly #stream: { write(text: string): unknown };
  readonly #quiet: boolean;
  #steps = 0;

  constructor(stream: { write(text: string): unknown }, quiet: boolean) {
    this.#stream = stream;
    this.#quiet = quiet;
  }

  step<T>(title: string, work: (progress: Progress) => Promise<T>): Promise<T> {
    return this.#run(title, undefined, work);
  }

  detail(text: string): void {
    this.#emit({ event: 'detail', text });
  }

  say(text: string): void {
    this.#emit({ event: 'message', text });
  }

  pause(): void {}

  end(): void {}

  async #run<T>(title: string, parent: number | undefined, work: (progress: Progress) => Promise<T>): Promise<T> {
    const step = ++this.#steps;
    const started = performance.now();
    this.#emit({ event: 'step', step, ...(parent === undefined ? {} : { parent }), title });
    const inner: Progress = {
      step: (innerTitle, innerWork) => this.#run(innerTitle, step, innerWork),
      detail: (text) => this.#emit({ event: 'detail', step, text }),
      say: (text) => this.#emit({ event: 'message', step, text }),
      sample: (data) => this.#emit({ event: 'sample', step, ...data }),
    };
    let ok = false;
    try {
      const result = await work(inner);
      ok = true;
      return result;
    } finally {
      this.#emit({ event: 'end', step, ok, ms: Math.round(performance.now() - started) });
    }
  }

  #emit(event: Record<string, unknown>): void {
    if (!this.#quiet) this.#stream.write(`${JSON.stringify({ schema: 1, ...event })}\n`);
  }
}
