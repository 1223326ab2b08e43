/** From the extracted pieces to the bytes of a .ko: glue compiled and joined, versions of what is imported, a build-id. */
import { createHash } from 'node:crypto';
import { SHF, SHT, STT } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfFile, ElfSection } from '@livegraft/binfmt/elf/types';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/klp.ts';
import { positionUnstable, symbolUnresolved } from '../diagnostics/provenance.ts';
import type { ExportedSymbol } from '../kernel/symvers.ts';
import { roleOf } from '../objdiff/sections.ts';
import { positionOf } from '../provenance/shipped.ts';
import { callbackKinds } from '../support/author.ts';
import { type LivegraftNote, noteSection, writeLivegraftNote } from '../support/livegraft-note.ts';
import type { Callback } from './author.ts';
import type { Extraction, ReplacedFunction } from './extract.ts';
import {
  callbackName,
  type GlueCallbacks,
  type GlueFacts,
  type GlueObject,
  newFunctionName,
  writeGlue,
} from './glue.ts';
import { sealPiece } from './landing-pads.ts';
import { linkModule } from './link.ts';
import { type Piece, type PieceTarget, sectionPiece } from './piece.ts';
import { resolveOutside, type SymbolSpace } from './resolve.ts';

export interface ModuleRequest {
  readonly facts: GlueFacts;
  readonly extraction: Extraction;
  /** For what the glue itself refers to. */
  readonly vmlinux: SymbolSpace;
  /** Compiles glue.c with the flags of an external module of that name. */
  readonly compile: (source: string) => Promise<Uint8Array>;
  readonly exports: ReadonlyMap<string, ExportedSymbol>;
  /** The core itself clears relocations when a patched module goes (since 6.3). */
  readonly coreClears: boolean;
  /** The kernel uses IBT, so landing pads of its functions are sealed. */
  readonly ibt: boolean;
  /** What the module says of itself, but for what is known here only. */
  readonly note: Omit<LivegraftNote, 'schema' | 'name' | 'replace' | 'states' | 'callbacks'>;
}

export interface BuiltModule {
  readonly bytes: Uint8Array;
  readonly glue: string;
  readonly buildId: string;
  readonly objects: readonly GlueObject[];
}

export async function makeModule(request: ModuleRequest): Promise<BuiltModule> {
  const { extraction } = request;
  if (request.facts.module.length > 55) {
    throw new LivegraftError(say.nameTooLong({ what: 'The module name', name: request.facts.module, limit: 55 }));
  }
  const objects = glueObjects(extraction, request.coreClears);
  const { states } = extraction;
  const glue = await writeGlue({ ...request.facts, states }, objects);
  const object = readElf(await request.compile(glue));
  // the glue numbers functions object by object
  const inOrder = objects.flatMap((each) => extraction.replaced.filter((f) => f.unit.space.own.name === each.name));
  const news = new Map([
    ...inOrder.map((f, n): [string, Piece] => [newFunctionName(n), f.piece]),
    ...objects
      .flatMap(({ name }) => unitsIn(extraction.callbacks, name).flat())
      .map((callback, n): [string, Piece] => [callbackName(n), callback.piece]),
  ]);
  const gluePieces = await objectPieces(object, (name) => {
    const piece = news.get(name);
    return piece === undefined
      ? resolveOutside(request.vmlinux, { unit: 'glue.c', function: 'the glue' }, name)
      : Promise.resolve({ kind: 'piece', piece });
  });
  const pieces = [...extraction.pieces, ...gluePieces];
  const versions = versionsPiece(pieces, request.exports);
  const sealed = request.ibt ? sealPiece(pieces) : undefined;
  const made = [versions, sealed].filter((piece) => piece !== undefined);
  const loaded = [...pieces, ...made, notePiece(request, objects)];
  const buildId = createHash('sha1').update(linkModule(loaded)).digest();
  return { bytes: linkModule([...loaded, buildIdPiece(buildId)]), glue, buildId: buildId.toString('hex'), objects };
}

function glueObjects(extraction: Extraction, coreClears: boolean): GlueObject[] {
  const byObject = new Map<string, ReplacedFunction[]>();
  for (const replaced of extraction.replaced) {
    const { name } = replaced.unit.space.own;
    byObject.set(name, [...(byObject.get(name) ?? []), replaced]);
  }
  // the core takes an object without functions, as long as it has a list of them (klp_init_patch_early)
  for (const { unit } of extraction.callbacks)
    if (!byObject.has(unit.space.own.name)) byObject.set(unit.space.own.name, []);
  const applied = new Set(
    extraction.pieces.flatMap((piece) =>
      piece.relocations.map(({ target }) => (target.kind === 'klp' ? target.applyWith : '')),
    ),
  );
  const sorted = [...byObject].sort(([a], [b]) => (a === 'vmlinux' ? -1 : b === 'vmlinux' ? 1 : a < b ? -1 : 1));
  return sorted.map(([name, functions]) => ({
    name,
    callbacks: unitsIn(extraction.callbacks, name).map(rowOf),
    ...forgetting(name !== 'vmlinux' && applied.has(name), coreClears, extraction.callbacks, name),
    functions: functions.map((replaced) => ({
      name: replaced.verdict.original!.name,
      position: replacedPosition(replaced),
      source: replaced.unit.source,
    })),
  }));
}

/** Only what was applied can be in the way when the module comes again. */
function forgetting(
  isApplied: boolean,
  coreClears: boolean,
  callbacks: readonly Callback[],
  object: string,
): Pick<GlueObject, 'forget'> {
  if (!isApplied) return {};
  if (!coreClears) return { forget: 'going' };
  const mayRefuse = callbacks.some(({ unit, kind }) => unit.space.own.name === object && kind === 'pre_patch');
  return mayRefuse ? { forget: 'refused' } : {};
}

/** The callbacks of an object, unit by unit, in the order of the kinds. */
function unitsIn(callbacks: readonly Callback[], object: string): Callback[][] {
  const byUnit = new Map<string, Callback[]>();
  for (const callback of callbacks) {
    if (callback.unit.space.own.name !== object) continue;
    byUnit.set(callback.unit.source, [...(byUnit.get(callback.unit.source) ?? []), callback]);
  }
  return [...byUnit.values()];
}

function rowOf(callbacks: readonly Callback[]): GlueCallbacks {
  return {
    source: callbacks[0]!.unit.source,
    functions: Object.fromEntries(callbacks.map(({ kind, name }) => [kind, name])),
  };
}

/** `.note.livegraft`: what a loaded livepatch is, for whoever looks into /sys. */
function notePiece({ facts, extraction, note }: ModuleRequest, objects: readonly GlueObject[]): Piece {
  const callbacks = objects.flatMap(({ name, callbacks = [] }) => {
    const kinds = callbackKinds.filter((kind) => callbacks.some(({ functions }) => functions[kind] !== undefined));
    return kinds.length === 0 ? [] : [[name, kinds] as const];
  });
  const { livegraft, kernel, cves, patches } = note;
  const bytes = writeLivegraftNote({
    schema: 1,
    name: facts.module,
    livegraft,
    kernel,
    replace: facts.replace,
    cves,
    patches,
    states: extraction.states,
    ...(callbacks.length === 0 ? {} : { callbacks: Object.fromEntries(callbacks) }),
  });
  return sectionPiece(noteSection, SHT.NOTE, 4, bytes);
}

/**
 * Which of the symbols of its name the replaced function is: 0 when it is the only one. Throws LivegraftError when the
 * shipped object has no symbol of that name at the place where the proved code is, or none that keeps its position.
 */
export function replacedPosition({ unit, verdict }: ReplacedFunction): number {
  const { own } = unit.space;
  const { name } = verdict.original!;
  const proof = unit.placement.functions.get(name);
  const address = proof?.state === 'equal' ? proof.address : undefined;
  const position = address === undefined ? 0 : positionOf(own, name, address);
  if (position === 0) {
    const what = 'no symbol of that name is where the proved code is';
    throw new LivegraftError(symbolUnresolved({ unit: unit.source, name, object: own.name, what }));
  }
  if (own.unstable(name)) throw new LivegraftError(positionUnstable({ unit: unit.source, name, object: own.name }));
  return own.named(name).length === 1 ? 0 : position;
}

/** A compiled object's loadable sections as pieces. */
async function objectPieces(elf: ElfFile, resolve: (name: string) => Promise<PieceTarget>): Promise<Piece[]> {
  const wanted = (section: ElfSection): boolean =>
    (section.flags & SHF.ALLOC) !== 0 &&
    section.size > 0 &&
    (roleOf(section) !== 'ignored' || section.name.startsWith('.modinfo') || section.name === '.orc_header');
  const pieces = new Map<number, Piece>();
  for (const section of elf.sections.filter(wanted)) {
    pieces.set(section.index, {
      section: section.name,
      type: section.type,
      flags: section.flags & ~SHF.INFO_LINK,
      align: Math.max(1, section.addralign),
      entsize: section.entsize,
      size: section.size,
      bytes: section.data,
      symbols: elf.symbols
        .filter(
          (symbol) => symbol.section === section.index && (symbol.type === STT.FUNC || symbol.type === STT.OBJECT),
        )
        .map((symbol) => ({ name: symbol.name, offset: Number(symbol.value), size: symbol.size, type: symbol.type })),
      relocations: [],
    });
  }
  for (const [index, piece] of pieces) {
    for (const relocation of elf.sections[index]!.relocations) {
      const symbol = elf.symbols[relocation.symbol]!;
      const home = pieces.get(symbol.section);
      const target: PieceTarget = home === undefined ? await resolve(symbol.name) : { kind: 'piece', piece: home };
      const addend = relocation.addend + (home === undefined ? 0 : Number(symbol.value));
      piece.relocations.push({ offset: relocation.offset, type: relocation.type, addend, target });
    }
  }
  return [...pieces.values()];
}

/** `__versions`: the CRC of each imported symbol, which the loader compares (struct modversion_info: u64 and 56 characters). */
function versionsPiece(pieces: readonly Piece[], exports: ReadonlyMap<string, ExportedSymbol>): Piece | undefined {
  const names = new Set(['module_layout']);
  for (const piece of pieces)
    for (const { target } of piece.relocations) if (target.kind === 'export') names.add(target.name);
  const known = [...names].filter((name) => (exports.get(name)?.crc ?? 0) !== 0);
  if (known.length === 0) return undefined;
  const bytes = new Uint8Array(known.length * 64);
  const view = new DataView(bytes.buffer);
  known.forEach((name, i) => {
    if (name.length > 55) throw new LivegraftError(say.nameTooLong({ what: 'The imported symbol', name, limit: 55 }));
    view.setUint32(i * 64, exports.get(name)!.crc, true);
    bytes.set(new TextEncoder().encode(name), i * 64 + 8);
  });
  return sectionPiece('__versions', SHT.PROGBITS, 32, bytes);
}

/** An ELF note that names this very module; /sys/module/NAME/notes shows it once it is loaded. */
function buildIdPiece(id: Uint8Array): Piece {
  const bytes = new Uint8Array(16 + id.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, id.length, true);
  view.setUint32(8, 3, true);
  bytes.set(new TextEncoder().encode('GNU'), 12);
  bytes.set(id, 16);
  return sectionPiece('.note.gnu.build-id', SHT.NOTE, 4, bytes);
}
