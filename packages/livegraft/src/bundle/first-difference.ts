/** Where two files of a bundle part: by section and function of a module, by path of a JSON document, by line of a text. */

import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfFile, ElfSection } from '@livegraft/binfmt/elf/types';
import { FormatError } from '@livegraft/binfmt/format-error';

export interface Difference {
  readonly where: string;
  readonly left: string;
  readonly right: string;
}

/** Undefined when they are the same, byte for byte. */
export function firstDifference(file: string, left: Uint8Array, right: Uint8Array): Difference | undefined {
  if (Buffer.compare(left, right) === 0) return undefined;
  const known = file.endsWith('.ko') ? inModule(left, right) : file.endsWith('.json') ? inJson(left, right) : undefined;
  return known ?? inText(left, right);
}

function inModule(left: Uint8Array, right: Uint8Array): Difference | undefined {
  try {
    const [one, other] = [readElf(left), readElf(right)];
    const [names, otherNames] = [one, other].map(({ sections }) => sections.map(({ name }) => name));
    const odd = names!.findIndex((name, i) => name !== otherNames![i]);
    if (odd >= 0 || names!.length !== otherNames!.length) {
      const at = odd < 0 ? names!.length : odd;
      return { where: `section ${at}`, left: names![at] ?? 'none', right: otherNames![at] ?? 'none' };
    }
    for (const [i, section] of one.sections.entries()) {
      const [bytes, others] = [section.data, other.sections[i]!.data];
      if (Buffer.compare(bytes, others) === 0) continue;
      const at = firstByte(bytes, others);
      const symbol = symbolAt(one, section, at);
      return {
        where: `${section.name}+0x${at.toString(16)}${symbol === undefined ? '' : ` (${symbol})`}`,
        left: shown(bytes, at),
        right: shown(others, at),
      };
    }
    const at = firstByte(left, right);
    return { where: `byte 0x${at.toString(16)} of the file`, left: shown(left, at), right: shown(right, at) };
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function symbolAt({ symbols }: ElfFile, section: ElfSection, offset: number): string | undefined {
  const found = symbols.find(
    ({ section: index, value, size, name }) =>
      name !== '' && index === section.index && Number(value) <= offset && offset < Number(value) + size,
  );
  return found === undefined ? undefined : `${found.name}+0x${(offset - Number(found.value)).toString(16)}`;
}

function inJson(left: Uint8Array, right: Uint8Array): Difference | undefined {
  try {
    return inValues(JSON.parse(Buffer.from(left).toString()), JSON.parse(Buffer.from(right).toString()), '');
  } catch {
    return undefined;
  }
}

function inValues(left: unknown, right: unknown, path: string): Difference | undefined {
  if (isObject(left) && isObject(right) && Array.isArray(left) === Array.isArray(right)) {
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      const found = inValues(left[key], right[key], path === '' ? key : `${path}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (left === right) return undefined;
  return { where: path === '' ? 'the whole' : path, left: short(left), right: short(right) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function inText(left: Uint8Array, right: Uint8Array): Difference {
  const [lines, others] = [left, right].map((bytes) => Buffer.from(bytes).toString('latin1').split('\n'));
  const at = lines!.findIndex((line, i) => line !== others![i]);
  const line = at < 0 ? lines!.length : at;
  return { where: `line ${line + 1}`, left: short(lines![line]), right: short(others![line]) };
}

function firstByte(left: Uint8Array, right: Uint8Array): number {
  const at = left.findIndex((byte, i) => byte !== right[i]);
  return at < 0 ? left.length : at;
}

/** Eight bytes. */
function shown(bytes: Uint8Array, at: number): string {
  return at < bytes.length
    ? Buffer.from(bytes.subarray(at, at + 8))
        .toString('hex')
        .replaceAll(/..(?=.)/g, '$& ')
    : `the end, after 0x${bytes.length.toString(16)} bytes`;
}

const longest = 120;

function short(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
