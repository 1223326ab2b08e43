/** Every unit of a kernel's configuration with its command, listed by kbuild once (`unit-list.ts`) and kept in the kernel's folder. */
import { readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import type { Kernel } from '../kernel/types.ts';
import { writeFileWhole } from '../support/files.ts';
import type { Progress } from '../support/progress.ts';
import { klpObjectOf, parseCommand } from './command.ts';
import type { Unit, UnitCommand, UnitSource } from './types.ts';
import { type Listed, listUnits, type UnitList } from './unit-list.ts';

export interface IndexedUnit {
  /** Path of the .c file in the source tree, or in the build tree when it was generated there. */
  readonly source: string;
  /** As the command names it, where that is another spelling: `arch/x86/kvm/../../../virt/kvm/kvm_main.c`, which `__FILE__` has too. */
  readonly spelled: string;
  readonly generated: boolean;
  /** Whether kbuild links it into the kernel or a module by its ordinary rules; false for parts of the vDSO and the like. */
  readonly linked: boolean;
  commandOf(): UnitCommand;
}

/** What is not a unit of the running kernel but is made from the same headers. */
export interface IndexedText {
  readonly kind: 'assembly' | 'offsets' | 'script';
  readonly source: string;
  readonly spelled: string;
  readonly generated: boolean;
  commandOf(): UnitCommand;
}

export interface UnitIndex {
  readonly units: readonly IndexedUnit[];
  readonly texts: readonly IndexedText[];
  /** Objects that are part of the configuration, but whose command is not known, without `.o`. */
  readonly unknown: readonly string[];
  /** The .c files of programs that run while the kernel is built. */
  readonly host: readonly string[];
}

/** Commands have most words in common: each is kept once, and a command is their numbers. */
interface Stored {
  readonly schema: 1;
  /** The source folder that the commands name. */
  readonly root: string;
  readonly words: readonly string[];
  readonly entries: readonly StoredEntry[];
  readonly unknown: readonly string[];
  readonly host: readonly string[];
}
type Kind = Listed['kind'];
type StoredEntry = readonly [
  kind: Kind,
  source: string,
  spelled: string,
  generated: 0 | 1,
  linked: 0 | 1,
  compile: readonly number[],
  post: readonly (readonly number[])[],
];

const file = (kernel: Kernel): string => join(kernel.dir, 'unit-index.json');

/** The index if it was made before; undefined otherwise. */
export async function keptUnitIndex(kernel: Kernel): Promise<UnitIndex | undefined> {
  const stored = await readFile(file(kernel), 'utf8')
    .then((text) => JSON.parse(text) as Stored)
    .catch(() => undefined);
  return stored?.schema === 1 && stored.root === kernel.paths.source ? unpack(stored) : undefined;
}

/** The index, made now if need be. Throws what `listUnits` throws, and `command-not-understood` (exit 4). */
export async function readUnitIndex(
  kernel: Kernel,
  { progress, signal }: { readonly progress: Progress; readonly signal?: AbortSignal },
): Promise<UnitIndex> {
  const kept = await keptUnitIndex(kernel);
  if (kept !== undefined) return kept;
  return progress.step('Ask kbuild for all units of this kernel, once', async () => {
    const stored = pack(await listUnits(kernel, signal), kernel.paths.source);
    await writeFileWhole(file(kernel), JSON.stringify(stored));
    return unpack(stored);
  });
}

/** What is needed to compile it. */
export function sourceOf({ source, spelled, generated, commandOf }: IndexedUnit | IndexedText): UnitSource {
  const more = { ...(spelled === source ? {} : { spelled }), ...(generated ? { generated } : {}) };
  return { source, command: commandOf(), ...more };
}

/** The unit as the rest of kbuild/ takes it. @throws LivegraftError `unit-shared`, `command-not-understood` (exit 4) */
export function unitOf(indexed: IndexedUnit): Unit {
  const unit = sourceOf(indexed);
  return { ...unit, klpObject: klpObjectOf(unit.source, unit.command.compile) };
}

export function pack({ listed, linked, host }: UnitList, root: string): Stored {
  const words = new Map<string, number>();
  const number = (word: string): number => {
    const known = words.get(word);
    if (known !== undefined) return known;
    words.set(word, words.size);
    return words.size - 1;
  };
  const entries: StoredEntry[] = [];
  const told = new Set<string>();
  for (const { kind, object, input, command } of listed) {
    const generated = !input.startsWith('/');
    const spelled = generated ? input : input.slice(root.length + 1);
    const source = normalize(spelled);
    const parts = understand(source, command, object, input, kind);
    if (parts === undefined) continue;
    told.add(object);
    const numbers = [parts.compile.map(number), parts.post.map((one) => one.map(number))] as const;
    entries.push([kind, source, spelled, generated ? 1 : 0, linked.get(object) ? 1 : 0, ...numbers]);
  }
  const unknown = [...linked.keys()]
    .filter((object) => !told.has(object))
    .map((object) => normalize(object.replace(/\.o$/, '')));
  return { schema: 1, root, words: [...words.keys()], entries, unknown, host };
}

export function unpack({ words, entries, unknown, host }: Stored): UnitIndex {
  const text = (numbers: readonly number[]): string[] => numbers.map((number) => words[number]!);
  const units: IndexedUnit[] = [];
  const texts: IndexedText[] = [];
  for (const [kind, source, spelled, isGenerated, isLinked, compile, post] of entries) {
    const generated = isGenerated === 1;
    // most are never asked for it
    const commandOf = (): UnitCommand => ({ compile: text(compile), post: post.map(text) });
    if (kind === 'c') units.push({ source, spelled, generated, linked: isLinked === 1, commandOf });
    else texts.push({ kind, source, spelled, generated, commandOf });
  }
  return { units, texts, unknown, host };
}

/** Undefined for a command that is not understood: then the object is one of the unknown. */
function understand(source: string, line: string, object: string, input: string, kind: Kind): UnitCommand | undefined {
  try {
    if (kind === 'offsets') return parseCommand(source, line, object, input, ['-fverbose-asm', '-S']);
    if (kind !== 'script') return parseCommand(source, line, object, input);
    const { compile, post } = parseCommand(source, line, object, input, []);
    return { compile: compile.filter((word) => word !== '-E' && word !== '-P'), post };
  } catch (error) {
    if (error instanceof LivegraftError) return undefined;
    throw error;
  }
}
