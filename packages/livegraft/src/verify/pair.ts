/** What the check of the meaning is about: pairs of things, what was counted, and where the two sides part. */
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import type { Item, Meaning } from './object.ts';
import type { CheckedUnit } from './unit.ts';

/** Where the module does something else than the patched source. */
export interface Deviation {
  readonly unit: string;
  readonly function: string;
  /** Bytes from the function's (or thing's) beginning. */
  readonly offset: number;
  /** The instruction, or the table. */
  readonly instruction: string;
  readonly meant: string;
  readonly found: string;
}

export interface FunctionCount {
  readonly name: string;
  /** Of itself and all that only it brought along. */
  instructions: number;
  references: number;
  undecided: string[];
}

/** A thing of a patched object, and where the module has it. */
export interface Pair {
  readonly unit: CheckedUnit;
  readonly item: Item;
  readonly section: ElfSection;
  readonly start: number;
  readonly count: FunctionCount;
}

/** What an instruction says, disassembled only when somebody asks. */
export type Text = string | (() => string);

export function nameOf(meaning: Meaning): string {
  return meaning.kind === 'undefined'
    ? meaning.name
    : meaning.kind === 'item'
      ? meaning.item.name || meaning.item.section.name
      : meaning.what;
}
