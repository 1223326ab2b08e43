/** Does a field of the module refer to what the patched source meant? The rules, one by one; nothing of the builder's own decisions goes in. */
import { SHF } from '@livegraft/binfmt/elf/constants';
import { decode } from './decode.ts';
import { type Place, plus, type ShippedKernel, samePlace } from './kernel.ts';
import type { Referent } from './module.ts';
import { type Item, isNumbered, isPcRelative, type Meaning, plainName, type UnitFile } from './object.ts';
import type { CheckedUnit } from './unit.ts';

/** How a field uses what it refers to: a call or jump, a memory access, an address that may be kept, or an entry of a table. */
export type Use = 'branch' | 'access' | 'address' | 'entry';

export interface Question {
  readonly unit: CheckedUnit;
  /** Whose code or data the field is part of. */
  readonly user: Item;
  readonly meaning: Meaning;
  readonly bias: number;
  readonly use: Use;
  readonly referent: Referent;
}

export type Verdict =
  /** Right if the thing inside the module at `start` is the item. */
  | { readonly kind: 'inside'; readonly unit: CheckedUnit; readonly item: Item; readonly start: number }
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong'; readonly meant: string }
  | { readonly kind: 'undecided'; readonly why: string };

const right: Verdict = { kind: 'right' };
const wrong = (meant: string): Verdict => ({ kind: 'wrong', meant });
const undecided = (why: string): Verdict => ({ kind: 'undecided', why });

export class Judge {
  readonly #kernel: ShippedKernel;
  readonly #units: readonly CheckedUnit[];

  constructor(kernel: ShippedKernel, units: readonly CheckedUnit[]) {
    this.#kernel = kernel;
    this.#units = units;
  }

  ask(question: Question): Verdict {
    const { unit, meaning, referent } = question;
    if (meaning.kind === 'nowhere') return wrong(`${meaning.what}, which has no place`);
    if (referent.kind === 'nothing') return wrong(meaning.kind === 'undefined' ? meaning.name : meaning.item.name);
    if (meaning.kind === 'item') {
      const verdict = this.#item(question, unit, meaning.item, meaning.at);
      if (!meaning.boundary || question.use === 'access' || question.use === 'entry' || verdict.kind === 'wrong')
        return verdict;
      return this.#border(question, meaning, verdict);
    }
    // another unit of the patch may define it: the linker would have joined the two
    for (const other of this.#units) {
      const item = other.object === unit.object ? globalOf(other.patched, meaning.name) : undefined;
      if (item !== undefined) return this.#item(question, other, item, meaning.addend);
    }
    const place = unit.places.undefined(meaning.name);
    if (place === undefined) return wrong(`${meaning.name}, which this kernel does not have`);
    return this.#atPlace(referent, place, meaning.addend);
  }

  #atPlace(referent: Referent, place: Place, addend: number): Verdict {
    const meant = plus(place, addend);
    if (referent.kind === 'kernel' && samePlace(referent.place, meant)) return right;
    return wrong(`${this.#kernel.describe(meant)} of the running kernel`);
  }

  #item(question: Question, unit: CheckedUnit, item: Item, at: number): Verdict {
    if (item.kind === 'function') return this.#function(question, unit, item, at);
    if (item.kind === 'variable' && item.size > 0) return this.#variable(question, unit, item, at);
    return inside(question.referent, unit, item, at);
  }

  #function({ use, bias, referent }: Question, unit: CheckedUnit, item: Item, at: number): Verdict {
    const interior = at + bias !== 0;
    const old = unit.before(item);
    const { name } = item;
    const isCold = /\.cold(\.\d+)?$/.test(name);
    const replaced = unit.replaced.has(item);
    const detoured = unit.detoured.has(item);
    if (referent.kind === 'inside') {
      if (replaced && use === 'address' && !interior) return wrong(`the old ${name}, whose address everybody knows`);
      if (replaced || isCold || detoured) return inside(referent, unit, item, at);
      if (old !== undefined) return wrong(`the ${name} of the running kernel, which the patch does not replace`);
      if (isNumbered(name) && use === 'address' && unit.original.siblings(name).length > 0)
        return undecided(`whether the address of ${name} is that of a function which exists`);
      return inside(referent, unit, item, at);
    }
    if (isCold || interior) return wrong(`a place in the new ${name}, inside of the module`);
    if ((replaced && use !== 'address') || detoured) return wrong(`the new ${name}, inside of the module`);
    if (old === undefined && isNumbered(name)) return this.#clone(referent, unit, item, at);
    if (old === undefined) return wrong(`${name}, which the patch brings, inside of the module`);
    if (!replaced && !unit.unchanged(item, old))
      return wrong(`the changed ${name}; the running kernel has the old one`);
    return this.#existing(referent, unit, item, at);
  }

  /** A function or variable of the unit that the kernel has. */
  #existing(referent: Referent, unit: CheckedUnit, item: Item, at: number): Verdict {
    const names = item.symbols.map((symbol) => symbol.name).filter((name) => unit.original.named(name) !== undefined);
    const place = names.map((name) => unit.places.defined(name)).find((each) => each !== undefined);
    if (place === undefined) return undecided(`nothing in the shipped code tells where ${item.name} is`);
    return this.#atPlace(referent, place, at);
  }

  /** A function with a number in its name: the one at that place must be the only one it can be, or have its very code. */
  #clone(referent: Referent, unit: CheckedUnit, item: Item, at: number): Verdict {
    const place = referent.kind === 'kernel' ? plus(referent.place, -at) : undefined;
    const there =
      place === undefined
        ? undefined
        : unit.places.at(place).find((symbol) => plainName(symbol.name) === plainName(item.name));
    if (there === undefined) return wrong(`a function ${plainName(item.name)} of this unit`);
    const originals = unit.original.siblings(item.name).map((name) => unit.original.named(name)!);
    const equal = originals.filter((old) => unit.unchanged(item, old));
    if (equal.length === 0) return wrong(`the changed ${item.name}; the running kernel has the old one`);
    const alone = unit.proof.siblings(item.name).length === 1 && originals.length === 1;
    if (
      alone ||
      (there.size === item.size &&
        unit.proof.siblings(item.name).filter((name) => unit.proof.named(name)!.size === item.size).length === 1)
    )
      return right;
    return undecided(`which of ${originals.length} functions ${plainName(item.name)} is meant`);
  }

  #variable(question: Question, unit: CheckedUnit, item: Item, at: number): Verdict {
    const { referent } = question;
    const { name, section } = item;
    const writable = (section.flags & SHF.WRITE) !== 0;
    const old = unit.before(item);
    if (old === undefined && isNumbered(name)) return this.#numbered(question, unit, item, at);
    if (old === undefined) {
      if (referent.kind === 'inside') return inside(referent, unit, item, at);
      return wrong(`${name}, which the patch brings, inside of the module`);
    }
    const unchanged = unit.unchanged(item, old);
    if (referent.kind === 'inside') {
      // a table of constants may be replaced, since nobody writes to it; a variable must stay one
      if (!writable && !unchanged) return inside(referent, unit, item, at);
      return wrong(`the ${name} of the running kernel`);
    }
    if (!unchanged) return wrong(`${name} with its new value; the running kernel has the old one`);
    return this.#existing(referent, unit, item, at);
  }

  /** Static variables of functions: the compiler's number is no identity. */
  #numbered({ referent, user }: Question, unit: CheckedUnit, item: Item, at: number): Verdict {
    const { name, section } = item;
    const stem = plainName(name);
    const literal = (section.flags & SHF.WRITE) === 0 || section.name === '__dyndbg' || section.name === '__verbose';
    if (literal && referent.kind === 'inside') return inside(referent, unit, item, at);
    const owner = user.name.replace(/\.cold(\.\d+)?$/, '');
    const before = usedBy(unit.original, owner, stem);
    const now = usedBy(unit.patched, owner, stem);
    if (referent.kind === 'inside') {
      const nothingLost = unit.original.siblings(name).length === 0 || before.length === 0;
      if (nothingLost || isMessageFlag(stem)) return inside(referent, unit, item, at);
      if (now.length > before.length || before.length > 1)
        return undecided(`whether ${name} is one of the ${before.length} variables ${stem} that ${owner} had`);
      return wrong(`the variable ${stem} of ${owner} in the running kernel`);
    }
    const place = referent.kind === 'kernel' ? plus(referent.place, -at) : undefined;
    const there =
      place === undefined
        ? []
        : unit.places.at(place).filter((symbol) => plainName(symbol.name) === stem && symbol.size === item.size);
    if (there.length === 0) return wrong(`a variable ${stem} of ${item.size} bytes of this unit`);
    if (unit.proof.siblings(name).length === 1 && unit.patched.siblings(name).length === 1) return right;
    const told = isMessageFlag(stem) ? toldByMessage(unit, owner, stem, name) : undefined;
    if (told !== undefined) {
      if (there.some((symbol) => symbol.name === told)) return right;
      return wrong(`the variable ${told} of ${owner} in the running kernel`);
    }
    // three readings of which one it was: by first use in the function, by number in the function, by number in the unit
    const proof = usedBy(unit.proof, owner, stem);
    const then = inOrder(unit.proof.siblings(name));
    const counterpart = (old: readonly string[], patched: readonly string[]): string[] =>
      old.length === patched.length && patched.includes(name) ? [old[patched.indexOf(name)]!] : [];
    const readings = [
      ...counterpart(proof, now),
      ...counterpart(inOrder(proof), inOrder(now)),
      ...counterpart(then, inOrder(unit.patched.siblings(name))),
    ];
    const [only] = readings;
    if (only !== undefined && readings.every((reading) => reading === only)) {
      if (there.some((symbol) => symbol.name === only)) return right;
      if (readings.length > 1) return wrong(`the variable ${only} of ${owner} in the running kernel`);
    }
    return undecided(`which of the ${then.length} variables ${stem} of the unit ${name} was`);
  }

  /** An address on the border of two variables of one section may be the end of the first: both readings must agree. */
  #border(question: Question, meaning: Meaning & { kind: 'item' }, verdict: Verdict): Verdict {
    const { unit } = question;
    const { item } = meaning;
    // nothing counts to the end of a descriptor of pr_debug()
    if (/^__(dyndbg|verbose)$/.test(item.section.name)) return verdict;
    const before = unit.patched.item(item.section, item.start - 1);
    if (verdict.kind === 'right' && before.kind === 'variable' && before.start + before.size === item.start) {
      const other = this.#item(question, unit, before, item.start - before.start + meaning.at);
      if (other.kind === 'right') return right;
    }
    if (before.kind === 'unnamed' && before.size < 64) return verdict;
    return undecided(
      `whether the beginning of ${item.name || item.section.name} is meant, or the end of ${before.name}`,
    );
  }
}

/** By the compiler's numbers, which rise or fall with the place in the source. */
function inOrder(names: readonly string[]): readonly string[] {
  const number = (name: string): number => Number(/(\d+)$/.exec(name)?.[1] ?? 0);
  return [...names].sort((a, b) => number(a) - number(b));
}

function inside(referent: Referent, unit: CheckedUnit, item: Item, at: number): Verdict {
  if (referent.kind !== 'inside')
    return wrong(`${item.name || describeLiteral(unit.patched, item)}, inside of the module`);
  return { kind: 'inside', unit, item, start: referent.offset - at };
}

export function describeLiteral(file: UnitFile, item: Item): string {
  if (item.kind !== 'string') return `${item.section.name}+0x${item.start.toString(16)}`;
  return JSON.stringify(Buffer.from(file.bytes(item)).toString('latin1').replace(/\0+$/, ''));
}

function globalOf(file: UnitFile, name: string): Item | undefined {
  const item = file.named(name);
  return item?.symbols.some((symbol) => symbol.name === name && symbol.binding !== 0) === true ? item : undefined;
}

/** Flags that only say whether a message was said: a fresh one says it again. */
function isMessageFlag(stem: string): boolean {
  return /^(__already_done|__warned|__print_once|_rs|__ret_once|__key)$/.test(stem);
}

/** Which flag of a function it was, by the text that follows its use; undefined where the texts do not tell. */
function toldByMessage(unit: CheckedUnit, owner: string, stem: string, name: string): string | undefined {
  const owners = (file: UnitFile): Map<string, Set<string>> => {
    const byText = new Map<string, Set<string>>();
    for (const use of usesOf(file, owner, stem)) {
      if (use.text !== undefined) byText.set(use.text, (byText.get(use.text) ?? new Set()).add(use.name));
    }
    return byText;
  };
  const before = owners(unit.proof);
  const candidates = new Set(
    [...owners(unit.patched)].flatMap(([text, names]) => {
      const then = before.get(text);
      return names.size === 1 && names.has(name) && then?.size === 1 ? [...then] : [];
    }),
  );
  return candidates.size === 1 ? [...candidates][0] : undefined;
}

/** The variables of a stem that a function uses, by first use. */
function usedBy(file: UnitFile, owner: string, stem: string): readonly string[] {
  return [...new Set(usesOf(file, owner, stem).map((use) => use.name))];
}

/** Each use of a variable of that stem in a function, with the first text that follows. */
function usesOf(file: UnitFile, owner: string, stem: string): { readonly name: string; readonly text?: string }[] {
  const found: { name: string; text?: string }[] = [];
  for (const name of [owner, `${owner}.cold`]) {
    const item = file.named(name);
    if (item === undefined) continue;
    const fields = file.relocations(item.section, item.start, item.start + item.size);
    const { operands } = decode(item.section, item.start, item.size, new Set(fields.map(({ offset }) => offset)));
    const meanings = fields.map((field) => {
      const operand = operands.find(({ offset }) => offset === field.offset);
      const bias = operand !== undefined && isPcRelative(field.type) ? operand.end - field.offset : 0;
      return file.meaning(field, bias);
    });
    meanings.forEach((meaning, i) => {
      if (meaning.kind !== 'item' || meaning.item.kind !== 'variable' || plainName(meaning.item.name) !== stem) return;
      const text = meanings.slice(i + 1, i + 7).find((each) => each.kind === 'item' && each.item.kind === 'string');
      found.push({
        name: meaning.item.name,
        ...(text?.kind === 'item' ? { text: Buffer.from(file.bytes(text.item)).toString('latin1') } : {}),
      });
    });
  }
  return found;
}
