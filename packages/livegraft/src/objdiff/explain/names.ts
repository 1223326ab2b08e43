/** What a reference leads to, as people call it. */
import type { Atom, Target, UnitObject } from '../atoms.ts';

/** Characters of a literal that are shown. */
const shown = 40;

/**
 * `kmem_cache_free`, `table+0x8`, `"text %s\n"`, `.rodata+0x40`.
 * @param beyond bytes from the field to where a PC-relative one counts from; 0 for others
 */
export function nameTarget(object: UnitObject, target: Target, beyond = 0): string {
  if (target.kind === 'symbol') return target.symbol.name + plus(target.addend + beyond);
  return nameAtom(object, target.atom) + plus(target.addend + beyond);
}

export function nameAtom(object: UnitObject, atom: Atom): string {
  if (atom.name !== '') return atom.name;
  if (atom.kind === 'string') return quote(object.bytes(atom));
  if (atom.kind === 'constant')
    return `{${Buffer.from(object.bytes(atom))
      .toString('hex')
      .replace(/..(?!$)/g, '$& ')}}`;
  return `${atom.section.name}${plus(atom.start)}`;
}

/** A literal string in C's notation, cut where it is long. */
export function quote(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1').replace(/\0$/, '');
  const cut = text.length > shown ? `${text.slice(0, shown - 1)}…` : text;
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '"': '\\"', '\\': '\\\\' };
  return `"${cut.replace(/[^ !#-[\]-~…]/g, (c) => escapes[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;
}

function plus(offset: number): string {
  if (offset === 0) return '';
  return offset < 0 ? `-0x${(-offset).toString(16)}` : `+0x${offset.toString(16)}`;
}
