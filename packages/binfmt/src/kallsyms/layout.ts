/** Finds kallsyms' names by structure: token table, then markers, then a count and names that reproduce every marker. */
import { ByteReader } from '../bytes.ts';
import { FormatError } from '../format-error.ts';

export interface NamesLayout {
  /** Type letter and name of each symbol, in order. */
  readonly names: readonly string[];
  /** Where num_syms is, and where the names begin. */
  readonly countAt: number;
  readonly namesAt: number;
  /** Just after token_index. */
  readonly tokensEnd: number;
}

interface Tokens {
  readonly tokens: readonly string[];
  readonly tableAt: number;
  readonly indexAt: number;
}

/** How many of the longest runs of rising numbers are tried as markers: bounds the work on hostile input. */
const MARKER_CANDIDATES = 8;
/** Nor are more than a few places taken for a token table: a kernel has one, and chance makes no other. */
const TOKEN_CANDIDATES = 8;
/** KSYM_NAME_LEN is 512 since 6.1; a name never has more bytes than letters. */
const LONGEST_NAME = 512;

/** Throws FormatError `kallsyms-not-found` or `kallsyms-ambiguous`. */
export function findNames(rodata: Uint8Array): NamesLayout {
  const reader = new ByteReader(rodata, 'kallsyms');
  const found: NamesLayout[] = [];
  for (const tokens of findTokens(reader)) {
    for (const place of findMarkers(reader, tokens.tableAt)) {
      const names = findCount(reader, place.at, place.length, tokens);
      if (names !== undefined) found.push(names);
    }
  }
  // a zero word of padding before a lone marker looks like a marker too, and leads to the same names
  const [first, second] = found.filter(
    (layout, i) => found.findIndex(({ namesAt }) => namesAt === layout.namesAt) === i,
  );
  if (first === undefined) {
    throw new FormatError(
      'kallsyms-not-found',
      'No kallsyms table: no token table whose markers and names fit together',
    );
  }
  if (second !== undefined) {
    throw new FormatError(
      'kallsyms-ambiguous',
      `More than one kallsyms table: names at 0x${first.namesAt.toString(16)} and 0x${second.namesAt.toString(16)}`,
    );
  }
  return first;
}

/** Every place that can be a token index: 256 rising u16 from 0, with 256 strings before it that begin just there. */
function findTokens(reader: ByteReader): Tokens[] {
  const words = wordsOf(reader.bytes);
  const found: Tokens[] = [];
  for (let indexAt = 4; indexAt + 512 <= reader.length; indexAt += 4) {
    // the first entry is 0 and the second is not: cheap, and rare in other data
    const first = words[indexAt >> 2]!;
    if ((first & 0xffff) !== 0 || first >>> 16 < 1 || first >>> 16 > LONGEST_NAME) continue;
    const starts = risingWords(reader, indexAt);
    if (starts === undefined) continue;
    const tokens = stringsBefore(reader, indexAt, starts);
    if (tokens !== undefined) found.push(tokens);
    if (found.length > TOKEN_CANDIDATES) {
      throw new FormatError('kallsyms-ambiguous', `More than ${TOKEN_CANDIDATES} token tables`, indexAt);
    }
  }
  return found;
}

function risingWords(reader: ByteReader, at: number): number[] | undefined {
  const starts = [0];
  for (let i = 1; i < 256; i++) {
    const start = reader.u16(at + i * 2);
    if (start <= starts[i - 1]!) return undefined;
    starts.push(start);
  }
  return starts;
}

function stringsBefore(reader: ByteReader, indexAt: number, starts: readonly number[]): Tokens | undefined {
  const { bytes } = reader;
  const last = starts[255]!;
  const nearest = (indexAt - last - 1) & ~3;
  for (let tableAt = nearest; tableAt >= 0 && tableAt >= nearest - LONGEST_NAME - 8; tableAt -= 4) {
    if (starts.some((start) => start > 0 && bytes[tableAt + start - 1] !== 0)) continue;
    const end = bytes.indexOf(0, tableAt + last);
    if (end < 0 || end >= indexAt || indexAt - end > 8 || !allZero(bytes, end, indexAt)) continue;
    const tokens = starts.map((start, i) =>
      latin1(bytes, tableAt + start, i === 255 ? end : tableAt + starts[i + 1]! - 1),
    );
    if (tokens.some((token) => token.includes('\0'))) continue;
    return { tokens, tableAt, indexAt };
  }
  return undefined;
}

/**
 * The longest runs of rising u32 from 0 that end before the token table, longest first.
 * Between two markers are 256 names: two bytes at least, `LONGEST_NAME` + 2 at most.
 */
function findMarkers(reader: ByteReader, tableAt: number): { at: number; length: number }[] {
  const words = wordsOf(reader.bytes.subarray(0, tableAt));
  const runs: { at: number; length: number }[] = [];
  for (let i = words.length - 1; i >= 0; i--) {
    if (words[i] !== 0) continue;
    let length = 1;
    for (;;) {
      const step = (words[i + length] ?? 0) - words[i + length - 1]!;
      if (step < 256 * 2 || step > 256 * (LONGEST_NAME + 2)) break;
      length++;
    }
    runs.push({ at: i * 4, length });
  }
  // equal lengths: the nearer to the token table the likelier; the sort is stable
  return runs.sort((a, b) => b.length - a.length).slice(0, MARKER_CANDIDATES);
}

/** Tries the places before the markers where the names can begin; the count stands 4 or 8 bytes before them. */
function findCount(
  reader: ByteReader,
  markersAt: number,
  markerCount: number,
  tokens: Tokens,
): NamesLayout | undefined {
  const lastMarker = reader.u32(markersAt + (markerCount - 1) * 4);
  const latest = (markersAt - lastMarker - 2) & ~3;
  const earliest = Math.max(4, latest - 256 * (LONGEST_NAME + 2) - 8);
  for (let namesAt = latest; namesAt >= earliest; namesAt -= 4) {
    for (const gap of [4, 8]) {
      if (namesAt < gap) continue;
      const count = reader.u32(namesAt - gap);
      if (Math.ceil(count / 256) !== markerCount) continue;
      if (gap === 8 && reader.u32(namesAt - 4) !== 0) continue;
      const names =
        walk(reader, namesAt, count, markersAt, tokens, true) ?? walk(reader, namesAt, count, markersAt, tokens, false);
      if (names !== undefined) return { names, countAt: namesAt - gap, namesAt, tokensEnd: tokens.indexAt + 512 };
    }
  }
  return undefined;
}

/** Spells `count` names; undefined unless each marker is met and nothing but padding is left before the markers. */
function walk(
  reader: ByteReader,
  namesAt: number,
  count: number,
  markersAt: number,
  { tokens }: Tokens,
  uleb: boolean,
): string[] | undefined {
  const { bytes } = reader;
  const names: string[] = [];
  let at = namesAt;
  for (let i = 0; i < count; i++) {
    if (i % 256 === 0 && reader.u32(markersAt + (i / 256) * 4) !== at - namesAt) return undefined;
    let length = bytes[at++]!;
    if (uleb && length >= 0x80) length = (length & 0x7f) | (bytes[at++]! << 7);
    if (length === 0 || at + length > markersAt) return undefined;
    let text = '';
    for (const end = at + length; at < end; at++) text += tokens[bytes[at]!]!;
    if (text.length < 2) return undefined;
    names.push(text);
  }
  return markersAt - at < 8 && allZero(bytes, at, markersAt) ? names : undefined;
}

function allZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/** The bytes as little-endian u32, a copy: a Uint32Array cannot look at every offset. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(bytes.length >> 2);
  new Uint8Array(words.buffer).set(bytes.subarray(0, words.length * 4));
  return words;
}
