/** Bounds-checked little-endian reading: every access that leaves the input is a FormatError with its offset. */
import { FormatError } from './format-error.ts';

const utf8 = new TextDecoder('utf-8', { fatal: false });

export class ByteReader {
  readonly bytes: Uint8Array;
  /** What is read, for messages: "ELF header". */
  readonly what: string;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.what = what;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Throws unless [offset, offset+size) lies inside. */
  need(offset: number, size: number): void {
    if (
      !Number.isSafeInteger(offset) ||
      !Number.isSafeInteger(size) ||
      offset < 0 ||
      size < 0 ||
      offset + size > this.length
    ) {
      throw new FormatError(
        'truncated',
        `${this.what} ends too early: ${size} bytes wanted at 0x${offset.toString(16)} of 0x${this.length.toString(16)}`,
        offset,
      );
    }
  }

  u8(offset: number): number {
    this.need(offset, 1);
    return this.#view.getUint8(offset);
  }
  u16(offset: number): number {
    this.need(offset, 2);
    return this.#view.getUint16(offset, true);
  }
  u32(offset: number): number {
    this.need(offset, 4);
    return this.#view.getUint32(offset, true);
  }
  i32(offset: number): number {
    this.need(offset, 4);
    return this.#view.getInt32(offset, true);
  }
  u64(offset: number): bigint {
    this.need(offset, 8);
    return this.#view.getBigUint64(offset, true);
  }
  i64(offset: number): bigint {
    this.need(offset, 8);
    return this.#view.getBigInt64(offset, true);
  }

  /** A 64-bit field that must fit a JavaScript number (offsets and sizes of things inside a file). */
  size(offset: number, field: string): number {
    const value = this.u64(offset);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new FormatError(
        'out-of-range',
        `${this.what}: ${field} is 0x${value.toString(16)}, larger than any file`,
        offset,
      );
    }
    return Number(value);
  }

  slice(offset: number, size: number): Uint8Array {
    this.need(offset, size);
    return this.bytes.subarray(offset, offset + size);
  }

  /** A NUL-ended string of at most `limit` bytes; a limit is needed where many places may name the same string. */
  string(offset: number, limit = this.length): string {
    this.need(offset, 0);
    const length = this.bytes.subarray(offset, offset + limit + 1).indexOf(0);
    if (length < 0) {
      const within = limit < this.length ? ` within ${limit} bytes` : '';
      throw new FormatError('unterminated', `${this.what}: a string has no end${within}`, offset);
    }
    return utf8.decode(this.bytes.subarray(offset, offset + length));
  }
}
