/** What is fuzzed: each target names the inputs it starts from, the damage that makes sense, and the work that must end well. */
import { BTF_KIND, type Btf, readBtf } from '@livegraft/binfmt/btf';
import { readBzImage } from '@livegraft/binfmt/bzimage';
import { readCpio } from '@livegraft/binfmt/cpio';
import { readElf } from '@livegraft/binfmt/elf/read';
import { readKallsyms } from '@livegraft/binfmt/kallsyms';
import { readModinfo } from '@livegraft/binfmt/modinfo';
import { buildIdOf, readNotes } from '@livegraft/binfmt/notes';
import { byteMutators, type Mutator } from './bytes.ts';
import { elfMutators } from './elf.ts';
import { archives, bootImages, notes, symbolTables, typeInformation } from './kernel-parts.ts';
import { objectTargets } from './object-targets.ts';
import { objects } from './objects.ts';
import { reportTargets } from './report-targets.ts';
import { textTargets } from './text-targets.ts';

export interface Target {
  readonly name: string;
  /** `elf`: files given by hand are inputs of this target if they are ELF files. */
  readonly takes: 'elf' | 'other';
  /** Whole  A target that takes two gets the one that was picked, damaged, and the one beside it. */
  readonly seeds: () => readonly Uint8Array[];
  readonly mutators: Readonly<Record<string, Mutator>>;
  /** What it may throw: readers of formats FormatError, everything else LivegraftError. */
  readonly errors: 'format' | 'livegraft';
  /**
   * The work. Returns in a word what came of it, or throws an error with a code.
   * @param input the damaged one
   * @param twin the seed it was made from or the one beside it, damaged or whole
   */
  readonly run: (input: Uint8Array, twin: Uint8Array) => string | Promise<string>;
}

const ANCHORS = [
  { name: '_text', address: 0xffffffff81000000n },
  { name: '_etext', address: 0xffffffff81000040n },
  { name: '__start_rodata', address: 0xffffffff82000000n },
  { name: '_sdata', address: 0xffffffff83000000n },
];

/** A reader of binfmt: everything that it can be asked is asked. */
function format(name: string, seeds: () => readonly Uint8Array[], read: (bytes: Uint8Array) => void): Target {
  return {
    name,
    takes: 'other',
    seeds,
    mutators: byteMutators,
    errors: 'format',
    run(input) {
      read(input);
      return 'value';
    },
  };
}

const formats: readonly Target[] = [
  {
    ...format('elf', objects, (bytes) => readElf(bytes)),
    takes: 'elf',
    mutators: { ...byteMutators, ...elfMutators },
  },
  format('notes', notes, (bytes) => buildIdOf(readNotes(bytes))),
  format('modinfo', () => [Buffer.from('license=GPL\0name=ext4\0depends=jbd2,crc16\0alias=fs-ext4\0\0')], readModinfo),
  format('bzimage', bootImages, readBzImage),
  format('cpio', archives, readCpio),
  format('btf', typeInformation, (bytes) => everyType(readBtf(bytes))),
  format('split-btf', typeInformation, (bytes) => everyType(readBtf(bytes, readBtf(typeInformation()[0]!)))),
  format('kallsyms', symbolTables, (bytes) => {
    const symbols = readKallsyms(bytes, 0xffffffff82000000n, ANCHORS);
    for (const symbol of symbols.all) {
      symbols.named(symbol.name);
      symbols.covering(symbol.address + 1n);
      symbols.extent(symbol);
    }
  }),
];

function everyType(btf: Btf): void {
  for (const kind of Object.values(BTF_KIND)) btf.names(kind);
  for (let id = 0; id <= btf.count; id++) {
    const { kind } = btf.type(id);
    if (kind === BTF_KIND.STRUCT || kind === BTF_KIND.UNION) btf.members(id);
    if (kind === BTF_KIND.FUNC_PROTO) btf.parameters(id);
  }
}

export const targets: readonly Target[] = [...formats, ...objectTargets, ...textTargets, ...reportTargets];
