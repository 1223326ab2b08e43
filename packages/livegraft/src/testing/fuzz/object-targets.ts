/** Targets that work on objects, modules and kernel images. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfFile } from '@livegraft/binfmt/elf/types';
import { FormatError } from '@livegraft/binfmt/format-error';
import { LivegraftError } from '../../diagnostics/diagnostic.ts';
import { moduleCorrupt } from '../../diagnostics/kernel.ts';
import { parseImage } from '../../kernel/image.ts';
import { readModuleInfo } from '../../kernel/module-file.ts';
import { extract } from '../../klp/extract.ts';
import { linkModule } from '../../klp/link.ts';
import { cutObject } from '../../objdiff/atoms.ts';
import { type Diff, diffObjects } from '../../objdiff/diff.ts';
import { explainFunctions } from '../../objdiff/explain.ts';
import { ObjectError } from '../../objdiff/object-error.ts';
import { placeUnit } from '../../provenance/place.ts';
import { positionOf, type ShippedObject, shippedModule, shippedVmlinux } from '../../provenance/shipped.ts';
import { byteMutators } from './bytes.ts';
import { elfMutators } from './elf.ts';
import { images } from './kernel-parts.ts';
import { objects } from './objects.ts';
import type { Target } from './targets.ts';

/** Most of what is damaged beyond the structure ends in the reader: the structure-aware ones are worth more here. */
const mutators = { ...elfMutators, flipBits: byteMutators['flipBits']!, edgeValue: byteMutators['edgeValue']! };

/** The work behind the reader; a file that the reader refuses has been dealt with. */
function onObjects(name: string, work: (input: ElfFile, twin: ElfFile) => string | Promise<string>): Target {
  return {
    name,
    takes: 'elf',
    seeds: objects,
    mutators,
    errors: 'livegraft',
    run(input, twin) {
      let files: [ElfFile, ElfFile];
      try {
        files = [readElf(input), readElf(twin)];
      } catch (error) {
        if (error instanceof FormatError) return `reader: ${error.code}`;
        throw error;
      }
      return work(...files);
    },
  };
}

/** What a comparison came to, in a word. */
function outcome(diff: Diff): string {
  const refused = diff.findings.find((finding) => finding.severity === 'error');
  if (refused !== undefined) return `refused: ${refused.code}`;
  return diff.functions.some((f) => f.verdict === 'changed') ? 'patchable' : 'unchanged';
}

function cut(elf: ElfFile): ReturnType<typeof cutObject> | undefined {
  try {
    return cutObject(elf);
  } catch (error) {
    if (error instanceof ObjectError) return undefined;
    throw error;
  }
}

/** As builds open a shipped module. */
function ship(name: string, elf: ElfFile): ShippedObject {
  try {
    return shippedModule(name, elf);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new LivegraftError(moduleCorrupt({ path: `${name}.ko`, problem: error.message }));
  }
}

export const objectTargets: readonly Target[] = [
  onObjects('diff', (input, twin) => outcome(diffObjects('unit.c', twin, input))),
  onObjects('diff-unmarked', (input, twin) => outcome(diffObjects('unit.c', input, twin, { marked: false }))),
  onObjects('explain', (input, twin) => {
    const diff = diffObjects('unit.c', twin, input);
    explainFunctions(diff);
    return outcome(diff);
  }),
  onObjects('place', (input, twin) => {
    const proof = cut(input);
    if (proof === undefined) return 'contradicts itself';
    const shipped = ship('unit', twin);
    const placement = placeUnit(proof, shipped);
    for (const { name } of proof.elf.symbols) {
      const address = placement.addressOf(name);
      if (address !== undefined) positionOf(shipped, name, address);
    }
    return [...placement.functions.values()].some(({ state }) => state === 'equal') ? 'some equal' : 'none equal';
  }),
  // the shipped module is damaged, not the unit
  onObjects('shipped', (input, twin) => {
    const proof = cut(twin);
    if (proof === undefined) return 'contradicts itself';
    const shipped = ship('unit', input);
    const { functions } = placeUnit(proof, shipped);
    for (const { name } of input.symbols) {
      shipped.unstable(name);
      for (const { address } of shipped.named(name)) shipped.traceable(address);
    }
    return [...functions.values()].some(({ state }) => state === 'equal') ? 'some equal' : 'none equal';
  }),
  onObjects('link', async (input, twin) => {
    const diff = diffObjects('unit.c', twin, input);
    if (diff.findings.some((finding) => finding.severity === 'error')) return outcome(diff);
    const own = ship('vmlinux', twin);
    const exported = ['outside', '__fentry__', 'warn', 'register', 'elsewhere', 'a_key', '__SCK__call'];
    const exports = new Map(exported.map((name) => [name, { owner: 'vmlinux', namespace: '', crc: 1, gpl: true }]));
    const space = {
      vmlinux: own,
      own,
      exports,
      module: () => Promise.resolve(undefined),
      dependencies: new Set<string>(),
    };
    const placement = placeUnit(cutObject(twin), own);
    const { pieces } = await extract([{ source: 'unit.c', diff, placement, space }]);
    try {
      readElf(linkModule(pieces));
    } catch (error) {
      // ours to know before: a module of ours that cannot be written, or read again
      throw error instanceof FormatError ? new Error(`the linked module: ${error.message}`, { cause: error }) : error;
    }
    return pieces.length === 0 ? 'nothing to link' : 'linked';
  }),
  {
    name: 'module-file',
    takes: 'elf',
    seeds: objects,
    mutators: { ...byteMutators, ...elfMutators },
    errors: 'livegraft',
    run: (input) =>
      withFile(input, (path) => (readModuleInfo(path, 'unit.ko').name === 'unit' ? 'value' : 'another name')),
  },
  {
    name: 'image',
    takes: 'other',
    seeds: images,
    mutators: { ...byteMutators, ...elfMutators },
    errors: 'livegraft',
    run(input) {
      const image = parseImage(input, 'vmlinux', new Map());
      const shipped = shippedVmlinux(image);
      for (const { name, address } of image.symbols.all) {
        shipped.traceable(address);
        for (const type of [1, 2, 10, 11, 24]) shipped.reference(address, type);
        positionOf(shipped, name, address);
      }
      try {
        void [image.buildId, image.banner, image.btf.count];
      } catch (error) {
        if (error instanceof FormatError) return `reader: ${error.code}`;
        throw error;
      }
      return 'value';
    },
  },
];

function withFile<T>(bytes: Uint8Array, work: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'livegraft-fuzz-'));
  try {
    const path = join(folder, 'input');
    writeFileSync(path, bytes);
    return work(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
