/**
 * What a patch's author says by the macros of livegraft.h: the entries of the section `.livegraft` of a patched object
 * (packages/livegraft/kernel/include/livegraft.h, struct livegraft_entry, 40 bytes). Read by the builder and by the checker.
 */
import type { ElfFile, ElfSection } from '@livegraft/binfmt/elf/types';
import { FormatError } from '@livegraft/binfmt/format-error';

export type CallbackKind = 'pre_patch' | 'post_patch' | 'pre_unpatch' | 'post_unpatch';
/** In the order of `struct klp_callbacks`. */
export const callbackKinds: readonly CallbackKind[] = ['pre_patch', 'post_patch', 'pre_unpatch', 'post_unpatch'];

export interface AuthorCallback {
  readonly kind: CallbackKind;
  /** As the source calls the function. */
  readonly name: string;
  /** The entry's field for the function: offset in `section`; there is a relocation when it points anywhere. */
  readonly field: number;
}

export interface AuthorState {
  readonly id: bigint;
  readonly version: number;
}

/** A function or variable that the patch names, and why. */
export interface AuthorWish {
  readonly name: string;
  readonly reason: string;
}

export interface AuthorEntries {
  /** `.livegraft`; absent when the object has none. */
  readonly section?: ElfSection;
  readonly callbacks: readonly AuthorCallback[];
  readonly states: readonly AuthorState[];
  readonly forced: readonly AuthorWish[];
  readonly ignored: readonly AuthorWish[];
  /** Functions whose address is handed to the kernel for the time of a call only: constructors and destructors of shadow variables. */
  readonly lent: readonly string[];
}

export const authorSection = '.livegraft';
const entrySize = 40;
const nothing: AuthorEntries = { callbacks: [], states: [], forced: [], ignored: [], lent: [] };

/** In the order of the source. Throws FormatError when the section does not hold entries. */
export function readAuthorEntries(elf: ElfFile): AuthorEntries {
  const section = elf.sections.find(({ name }) => name === authorSection);
  if (section === undefined) return nothing;
  const fail = (what: string, at: number): never => {
    throw new FormatError('livegraft-section', what, at);
  };
  const { data, size } = section;
  if (size % entrySize !== 0 || data.length !== size) fail(`${size} bytes of entries of ${entrySize}`, 0);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const text = (at: number): string => textAt(elf, section, at) ?? fail('a text that is not there', at);
  const wish = (at: number): AuthorWish => ({ name: text(at + 24), reason: textAt(elf, section, at + 32) ?? '' });
  const found = {
    section,
    callbacks: [] as AuthorCallback[],
    states: [] as AuthorState[],
    forced: [] as AuthorWish[],
    ignored: [] as AuthorWish[],
    lent: [] as string[],
  };
  for (let at = 0; at < size; at += entrySize) {
    const kind = view.getUint32(at, true);
    const callback = callbackKinds[kind - 1];
    if (callback !== undefined) found.callbacks.push({ kind: callback, name: text(at + 24), field: at + 16 });
    else if (kind === 5)
      found.states.push({ id: view.getBigUint64(at + 8, true), version: view.getUint32(at + 4, true) });
    else if (kind === 6) found.forced.push(wish(at));
    else if (kind === 7) found.ignored.push(wish(at));
    else if (kind === 8) found.lent.push(text(at + 24));
    else fail(`an entry of kind ${kind}`, at);
  }
  return found;
}

/** The NUL-ended string that a pointer of the section refers to. */
function textAt(elf: ElfFile, section: ElfSection, at: number): string | undefined {
  const relocation = section.relocations.find(({ offset }) => offset === at);
  const symbol = relocation && elf.symbols[relocation.symbol];
  const home = symbol && elf.sections[symbol.section];
  if (relocation === undefined || symbol === undefined || home === undefined || symbol.section === 0) return undefined;
  const start = Number(symbol.value) + relocation.addend;
  const end = start < 0 ? -1 : home.data.indexOf(0, start);
  return end < 0 ? undefined : new TextDecoder().decode(home.data.subarray(start, end));
}

/** A source name stands for the function and for what the compiler makes of it: `f`, `f.isra.0`, `f.cold`. */
export function isNamed(symbol: string, source: string): boolean {
  return symbol === source || symbol.startsWith(`${source}.`);
}
