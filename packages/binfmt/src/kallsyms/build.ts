/** Writes kallsyms tables for tests, in each of the layouts that kernels have had; real ones come from scripts/kallsyms.c. */

export interface TestSymbol {
  readonly address: bigint;
  readonly type: string;
  readonly name: string;
}

export type TestLayout =
  /** Addresses as u64, before the names; name lengths one byte. */
  | 'absolute'
  /** 4.6 to 6.3: offsets and base before the names. */
  | 'offsets-first'
  /** Debian's 6.1: as before, with seqs_of_names after the markers. */
  | 'offsets-first-seqs'
  /** Since 6.4: offsets and base after the tokens. */
  | 'offsets-last'
  /** Since 7.x: offsets counted from their own place, 4-byte alignment. */
  | 'relative';

/** Tokens: every ASCII character for itself, and a few longer ones. */
const LONG = ['sched_', '_show', 'task', '__', 'proc_'] as const;

/**
 * @param symbols by rising address
 * @param address where the section will be
 * @param before bytes in front of the table
 */
export function buildKallsyms(
  symbols: readonly TestSymbol[],
  layout: TestLayout,
  address: bigint,
  before = 64,
): Uint8Array {
  const align = layout === 'relative' ? 4 : 8;
  const out: number[] = Array.from({ length: before }, (_, i) => (i * 37 + 11) & 0xff);
  const pad = (): void => {
    while (out.length % align !== 0) out.push(0);
  };
  const word = (value: bigint, size: number): void => {
    for (let i = 0; i < size; i++) out.push(Number((BigInt.asUintN(64, value) >> BigInt(8 * i)) & 0xffn));
  };
  const base = symbols.find((symbol) => symbol.address >> 63n === 1n)?.address ?? 0n;
  const offsets = (): void => {
    pad();
    for (const symbol of symbols) {
      const here = address + BigInt(out.length);
      if (layout === 'relative') word(symbol.address - here, 4);
      else if (layout === 'absolute') word(symbol.address, 8);
      else word(symbol.address >> 63n === 1n ? base - 1n - symbol.address : symbol.address, 4);
    }
    if (layout === 'relative' || layout === 'absolute') return;
    pad();
    word(base, 8);
  };
  const seqs = (): void => {
    pad();
    symbols.forEach((_, i) => {
      out.push((i >> 16) & 0xff, (i >> 8) & 0xff, i & 0xff);
    });
  };
  const late = layout === 'offsets-last' || layout === 'relative';

  if (!late) offsets();
  pad();
  word(BigInt(symbols.length), 4);
  pad();
  const markers: number[] = [];
  const names = out.length;
  symbols.forEach(({ type, name }, i) => {
    if (i % 256 === 0) markers.push(out.length - names);
    const bytes = compress(type + name);
    if (bytes.length >= 0x80) out.push((bytes.length & 0x7f) | 0x80, bytes.length >> 7);
    else out.push(bytes.length);
    out.push(...bytes);
  });
  pad();
  for (const marker of markers) word(BigInt(marker), 4);
  if (layout === 'offsets-first-seqs') seqs();
  pad();
  const starts: number[] = [];
  const table = out.length;
  for (const token of tokens()) {
    starts.push(out.length - table);
    out.push(...Buffer.from(`${token}\0`, 'latin1'));
  }
  pad();
  for (const start of starts) word(BigInt(start), 2);
  if (late) {
    offsets();
    seqs();
  }
  pad();
  out.push(...Array.from({ length: 32 }, () => 0xcc));
  return Uint8Array.from(out);
}

function tokens(): string[] {
  return Array.from({ length: 256 }, (_, i) =>
    i < LONG.length ? LONG[i]! : i >= 0x20 && i < 0x7f ? String.fromCharCode(i) : '',
  );
}

function compress(text: string): number[] {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; ) {
    const long = LONG.findIndex((token) => text.startsWith(token, at));
    bytes.push(long >= 0 ? long : text.charCodeAt(at));
    at += long >= 0 ? LONG[long]!.length : 1;
  }
  return bytes;
}
