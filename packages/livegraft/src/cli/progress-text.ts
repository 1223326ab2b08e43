/** Progress for people: on a terminal one live line at the bottom and a line for each finished step; elsewhere plain lines. */
import type { WriteStream } from 'node:tty';
import type { Progress } from '../support/progress.ts';
import { hasColour, type Style, styleFor } from './style.ts';
import { fit, formatDuration } from './text.ts';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

interface Step {
  readonly title: string;
  readonly depth: number;
  readonly started: number;
  detail: string;
}

export class TextProgress implements Progress {
  readonly #stream: WriteStream;
  readonly #live: boolean;
  readonly #quiet: boolean;
  readonly #verbose: boolean;
  readonly #style: Style;
  readonly #active: Step[] = [];
  #timer: NodeJS.Timeout | undefined;
  #drawn = false;
  #frame = 0;

  constructor(stream: WriteStream, options: { readonly quiet: boolean; readonly verbose: boolean }) {
    this.#stream = stream;
    this.#quiet = options.quiet;
    this.#verbose = options.verbose;
    this.#live = stream.isTTY && process.env['TERM'] !== 'dumb' && !options.quiet;
    this.#style = hasColour(stream) ? styleFor(stream) : (_format, text) => text;
  }

  step<T>(title: string, work: (progress: Progress) => Promise<T>): Promise<T> {
    return this.#run(title, 0, work);
  }

  detail(text: string): void {
    const last = this.#active.at(-1);
    if (last !== undefined) last.detail = text;
  }

  say(text: string): void {
    if (this.#quiet) return;
    this.#clear();
    this.#stream.write(`${text}\n`);
    this.#draw();
  }

  /** Takes the live line away before something else is printed. */
  pause(): void {
    this.#clear();
  }

  end(): void {
    this.#clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #run<T>(title: string, depth: number, work: (progress: Progress) => Promise<T>): Promise<T> {
    const step: Step = { title, depth, started: performance.now(), detail: '' };
    this.#active.push(step);
    if (!this.#live && depth === 0 && !this.#quiet) this.#stream.write(`${title}\n`);
    if (this.#live && this.#timer === undefined) {
      this.#timer = setInterval(() => this.#draw(), 100);
      this.#timer.unref();
    }
    const inner: Progress = {
      step: (innerTitle, innerWork) => this.#run(innerTitle, depth + 1, innerWork),
      detail: (text) => {
        step.detail = text;
        // a script wants lines, not a stream of them
        if (this.#verbose && !this.#live && !this.#quiet) this.#stream.write(`${'  '.repeat(depth + 1)}${text}\n`);
      },
      say: (text) => this.say(text),
    };
    try {
      const result = await work(inner);
      this.#finish(step, true);
      return result;
    } catch (error) {
      this.#finish(step, false);
      throw error;
    }
  }

  #finish(step: Step, ok: boolean): void {
    this.#active.splice(this.#active.indexOf(step), 1);
    if (this.#quiet) return;
    const took = performance.now() - step.started;
    const indent = '  '.repeat(step.depth);
    if (!this.#live) {
      if (took > 3000 && ok) this.#stream.write(`${indent}${step.title}: ${formatDuration(took)}\n`);
      return;
    }
    this.#clear();
    const mark = ok ? this.#style('green', '✓') : this.#style('red', '✗');
    const time = took >= 500 ? ` ${formatDuration(took)}` : '';
    const title = fit(step.title, this.#columns() - indent.length - 2 - time.length);
    this.#stream.write(`${indent}${mark} ${title}${this.#style('dim', time)}\n`);
    this.#draw();
  }

  #columns(): number {
    return Math.max(20, this.#stream.columns ?? 80);
  }

  #draw(): void {
    const step = this.#active.at(-1);
    if (!this.#live || step === undefined) return;
    this.#frame = (this.#frame + 1) % frames.length;
    const took = performance.now() - step.started;
    const time = took >= 1000 ? ` ${formatDuration(took)}` : '';
    const detail = step.detail === '' ? '' : ` · ${step.detail}`;
    const indent = '  '.repeat(step.depth);
    const room = this.#columns() - indent.length - 2 - time.length - 1;
    const text = fit(`${step.title}${detail}`, Math.max(10, room));
    this.#stream.write(
      `\r\x1b[2K${indent}${this.#style('cyan', frames[this.#frame]!)} ${text}${this.#style('dim', time)}`,
    );
    this.#drawn = true;
  }

  #clear(): void {
    if (this.#drawn) this.#stream.write('\r\x1b[2K');
    this.#drawn = false;
  }
}
