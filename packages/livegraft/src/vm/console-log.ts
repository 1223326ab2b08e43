/** Keeps what a guest's console says: all of its beginning and its end, even when a kernel floods it. */
import { StringDecoder } from 'node:string_decoder';

const headLimit = 4 << 20;
const tailLimit = 2 << 20;

export class ConsoleLog {
  readonly #decoder = new StringDecoder('utf8');
  #head = '';
  #tail = '';
  #dropped = 0;

  push(chunk: Uint8Array): string {
    const text = this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (this.#head.length < headLimit) {
      this.#head += text;
      return text;
    }
    this.#tail += text;
    if (this.#tail.length > 2 * tailLimit) {
      this.#dropped += this.#tail.length - tailLimit;
      this.#tail = this.#tail.slice(-tailLimit);
    }
    return text;
  }

  get empty(): boolean {
    return this.#head === '';
  }

  get text(): string {
    return this.#dropped === 0
      ? this.#head + this.#tail
      : `${this.#head}\n[livegraft left out ${this.#dropped} characters here]\n${this.#tail}`;
  }
}
