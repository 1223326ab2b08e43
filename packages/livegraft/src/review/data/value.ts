/** The first value of a variable as a person reads it. */
import type { Atom, UnitObject } from '../../objdiff/atoms.ts';
import { nameTarget } from '../../objdiff/explain/names.ts';

/** Bytes of a larger value that are shown. */
const most = 16;

/** `zero`, `42`, `"text"`, `&name`, or bytes. */
export function firstValue(object: UnitObject, atom: Atom): string {
  const bytes = object.bytes(atom);
  const references = object.references(atom);
  const [only] = references;
  if (only !== undefined) {
    if (atom.size === 8 && references.length === 1) return `&${nameTarget(object, only.target)}`;
    const names = references.slice(0, 3).map(({ offset, target }) => `+${offset} &${nameTarget(object, target)}`);
    return `${names.join(', ')}${references.length > 3 ? `, … ${references.length} pointers` : ''}`;
  }
  if (bytes.every((byte) => byte === 0)) return 'zero';
  const text = Buffer.from(bytes).toString('latin1').replace(/\0+$/, '');
  if (atom.size > 8 && /^[\t\n\x20-\x7e]+$/.test(text)) return JSON.stringify(text);
  if ([1, 2, 4, 8].includes(atom.size)) return number(bytes);
  const hex = Buffer.from(bytes.subarray(0, most))
    .toString('hex')
    .replace(/..(?!$)/g, '$& ');
  return bytes.length > most ? `${hex} …` : hex;
}

/** Little-endian; large ones as addresses and masks are written. */
function number(bytes: Uint8Array): string {
  const value = bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return value < 0x10000n ? String(value) : `0x${value.toString(16)}`;
}
