/**
 * Landing pads (IBT) of the finished module, by what the kernel does with `.ibt_endbr_seal`: an indirect branch must end at an `endbr64` that
 * nothing overwrites (arch/x86/kernel/alternative.c, apply_seal_endbr). Only for a kernel whose image has such a list.
 */
import { SHF } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import { beginsWithEndbr } from '../support/endbr.ts';
import { decode } from './decode.ts';
import type { ShippedKernel } from './kernel.ts';
import { tableNames } from './layouts.ts';
import type { LoadInput, Refusal } from './loadable.ts';
import type { LivepatchModule } from './module.ts';

const list = '.ibt_endbr_seal';

export function checkLandingPads({ module, kernel, functions }: LoadInput): Refusal[] {
  if (kernel.image.section(list) === undefined) return [];
  const found: Refusal[] = [];
  const seals = sealedBy(module, found);
  const shipped = new SealedPads(kernel);
  // ftrace gets to a new function by a return, which IBT does not look at (arch/x86/kernel/ftrace_64.S)
  const returned = (section: ElfSection, offset: number): boolean =>
    functions.some(({ pointer }) => pointer.section === section && pointer.offset === offset);
  for (const { section, offset, referent } of addresses(module)) {
    if (returned(section, offset)) continue;
    const at = module.describe(section, offset);
    if (referent.kind === 'kernel') {
      if (shipped.has(referent.place))
        found.push({
          at,
          what: `the address of ${kernel.describe(referent.place)}, whose landing pad the kernel seals`,
        });
      continue;
    }
    const where = module.describe(referent.section, referent.offset);
    if (seals.has(`${referent.section.index}:${referent.offset}`))
      found.push({ at, what: `the address of ${where}, whose landing pad the module seals` });
    if (!beginsWithEndbr(referent.section.data.subarray(referent.offset)))
      found.push({ at, what: `the address of ${where}, which does not begin with endbr64` });
  }
  return found;
}

/** The places that the module's own list names, each of which must be an `endbr64`. */
function sealedBy(module: LivepatchModule, found: Refusal[]): ReadonlySet<string> {
  const table = module.section(list);
  const sealed = new Set<string>();
  for (const field of table === undefined ? [] : module.fields(table)) {
    const referent = module.referent(field);
    if (referent.kind !== 'inside') continue;
    sealed.add(`${referent.section.index}:${referent.offset}`);
    if (!beginsWithEndbr(referent.section.data.subarray(referent.offset)))
      found.push({
        at: `${list}+0x${field.offset.toString(16)}`,
        what: `${module.describe(referent.section, referent.offset)}, where there is no endbr64`,
      });
  }
  return sealed;
}

type Inside = Extract<ReturnType<LivepatchModule['referent']>, { readonly kind: 'inside' }>;
type InKernel = Extract<ReturnType<LivepatchModule['referent']>, { readonly kind: 'kernel' }>;

interface Taken {
  readonly section: ElfSection;
  readonly offset: number;
  /** A place of the kernel, or the first byte of a function of the module. */
  readonly referent: Inside | InKernel;
}

/** The fields that hold an address which could be called: all but those of direct branches and of tables about code. */
function* addresses(module: LivepatchModule): Generator<Taken> {
  const starts = new Set(
    module.elf.symbols
      .filter(({ type, section, name }) => type === 2 && section !== 0 && !/^__(pfx|cfi)_/.test(name))
      .map(({ section, value }) => `${section}:${value}`),
  );
  for (const section of module.elf.sections) {
    if ((section.flags & SHF.ALLOC) === 0 || tableNames.includes(section.name)) continue;
    const ends = (section.flags & SHF.EXECINSTR) === 0 ? new Map<number, number>() : operandEnds(module, section);
    for (const field of module.fields(section)) {
      const end = ends.get(field.offset);
      if (end === -1) continue;
      const bias = end === undefined || (field.type !== 2 && field.type !== 4) ? 0 : end - field.offset;
      const { offset } = field;
      const referent = module.referent({ ...field, addend: field.addend + bias });
      if (referent.kind === 'kernel') yield { section, offset, referent };
      else if (referent.kind === 'inside' && starts.has(`${referent.section.index}:${referent.offset}`))
        yield { section, offset, referent };
    }
  }
}

/** Where the instruction of each relocated operand ends; -1 for the displacement of a direct branch. */
function operandEnds(module: LivepatchModule, section: ElfSection): Map<number, number> {
  const ends = new Map<number, number>();
  const symbols = module.elf.symbols.filter(({ type, section: home }) => type === 2 && home === section.index);
  const starts = [...new Set([0, ...symbols.map(({ value }) => Number(value))])].sort((a, b) => a - b);
  const fields = new Set(module.fields(section).map(({ offset }) => offset));
  for (const [i, start] of starts.entries()) {
    const size = (starts[i + 1] ?? section.size) - start;
    for (const { offset, branch, end } of decode(section, start, size, fields).operands)
      ends.set(offset, branch ? -1 : end);
  }
  return ends;
}

/** What the shipped kernel seals, object by object. */
class SealedPads {
  readonly #kernel: ShippedKernel;
  readonly #known = new Map<string, ReadonlySet<bigint>>();

  constructor(kernel: ShippedKernel) {
    this.#kernel = kernel;
  }

  has({ object, address }: { readonly object: string; readonly address: bigint }): boolean {
    const known = this.#known.get(object) ?? (object === 'vmlinux' ? this.#ofImage() : this.#ofModule(object));
    this.#known.set(object, known);
    return known.has(address);
  }

  #ofImage(): ReadonlySet<bigint> {
    const { address, data } = this.#kernel.image.section(list)!;
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const sealed = new Set<bigint>();
    for (let at = 0; at + 4 <= data.length; at += 4)
      sealed.add(BigInt.asUintN(64, address + BigInt(at) + BigInt(view.getInt32(at, true))));
    return sealed;
  }

  #ofModule(name: string): ReadonlySet<bigint> {
    const file = this.#kernel.file(name);
    if (file === undefined) return new Set();
    const elf = readElf(file);
    const table = elf.sections.find((section) => section.name === list);
    return new Set(
      (table?.relocations ?? []).map(({ symbol, addend }) => {
        const { section, value } = elf.symbols[symbol]!;
        return (BigInt(section + 1) << 40n) + value + BigInt(addend);
      }),
    );
  }
}
