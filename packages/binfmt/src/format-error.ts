/** The one error of this package: bytes that do not follow their format. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  /** Stable, for machines: `elf-truncated`, `kallsyms-not-found` … */
  readonly code: string;
  /** Byte offset in the input where the trouble is, when there is one place. */
  readonly offset: number | undefined;

  constructor(code: string, message: string, offset?: number) {
    super(offset === undefined ? message : `${message} (at offset 0x${offset.toString(16)})`);
    this.code = code;
    this.offset = offset;
  }
}
