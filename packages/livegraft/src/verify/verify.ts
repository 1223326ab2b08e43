/**
 * Proves a finished livepatch module: that its kernel takes it (loadable.ts), and that each replaced function, once relocated, is what the
 * patched source meant (meaning.ts). It reads the .ko, the units' objects and the shipped code, and nothing that the builder thought.
 */
import { FormatError } from '@livegraft/binfmt/format-error';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/verify.ts';
import type { KernelImage } from '../kernel/image.ts';
import { checkNote, checkStates, matchCallbacks, readCallbacks } from './callbacks.ts';
import { ShippedKernel, samePlace } from './kernel.ts';
import { checkLoadable } from './loadable.ts';
import { MeaningCheck } from './meaning.ts';
import { LivepatchModule } from './module.ts';
import { plainName } from './object.ts';
import type { FunctionCount } from './pair.ts';
import { type PatchFunction, readPatchStructs, StructureError } from './patch-structs.ts';
import { CheckedUnit, type VerifyUnit } from './unit.ts';

export interface VerifyInput {
  /** The .ko. */
  readonly module: Uint8Array;
  readonly image: KernelImage;
  /** Plain .ko files by name: target modules, and all that those need. */
  readonly modules: ReadonlyMap<string, Uint8Array>;
  /** Of the shipped modules. */
  readonly vermagic: string;
  /** What the manifest says is replaced. */
  readonly functions: readonly {
    readonly name: string;
    readonly object: string;
    readonly unit: string;
    readonly sympos: number;
  }[];
  readonly units: readonly VerifyUnit[];
}

export interface Verification {
  readonly functions: readonly FunctionCount[];
  /** Errors stop the build; notes say what could not be decided. */
  readonly problems: readonly Diagnostic[];
}

/** Pure: the same input gives the same result. */
export function verifyModule(input: VerifyInput): Verification {
  try {
    return verify(input);
  } catch (error) {
    if (!(error instanceof StructureError) && !(error instanceof FormatError)) throw error;
    return { functions: [], problems: [say.moduleNotLoadable({ at: 'its structures', what: error.message })] };
  }
}

function verify(input: VerifyInput): Verification {
  const { image, vermagic } = input;
  if (image.section('.BTF') === undefined) return { functions: [], problems: [say.moduleUnchecked({})] };
  const { btf } = image;
  const kernel = new ShippedKernel(image, input.modules);
  const module = new LivepatchModule(input.module, kernel);
  const structs = readPatchStructs(module, btf);
  const { functions } = structs;
  const objects = structs.objects.map(({ name }) => name);
  const units = input.units.map((unit) => new CheckedUnit(unit, kernel));
  const problems: Diagnostic[] = [
    ...checkLoadable({ module, kernel, btf, vermagic, objects, functions }),
    ...sameAsManifest(input, functions),
    ...checkStates(structs.states, units),
    ...checkNote(module, image.buildId, structs),
  ].map((each) => say.moduleNotLoadable({ ...each }));
  if (problems.length > 0) return { functions: [], problems };

  const found: FunctionCount[] = [];
  const check = new MeaningCheck(module, kernel, btf, units);
  const wrong = (unit: string, name: string, meant: string, is: string): number =>
    problems.push(say.moduleWrong({ unit, function: name, offset: 0, instruction: 'klp_func', meant, found: is }));
  const roots = functions.flatMap((each) => {
    const stated = input.functions.find(
      (f) => f.name === each.oldName && f.object === each.object && f.sympos === each.oldPosition,
    )!;
    const unit = units.find(({ source }) => source === stated.unit);
    const symbol = module.elf.symbols.find(
      (other) => other.type === 2 && other.section === each.section.index && Number(other.value) === each.offset,
    );
    const item = symbol && unit?.patched.named(symbol.name);
    if (unit === undefined || item?.kind !== 'function' || plainName(item.name) !== plainName(each.oldName)) {
      wrong(stated.unit, each.oldName, `a function of that name in ${stated.unit}`, symbol?.name ?? 'none');
      return [];
    }
    const place = kernel.find(each.object, each.oldName, each.oldPosition);
    const proved = unit.places.equal(each.oldName);
    if (typeof place === 'string' || !samePlace(place, proved))
      wrong(
        unit.source,
        each.oldName,
        `the shipped function at ${proved === undefined ? '?' : kernel.describe(proved)}`,
        typeof place === 'string' ? place : kernel.describe(place),
      );
    unit.replaced.add(item);
    return [{ unit, item, ...each }];
  });
  for (const { unit, item, section, offset } of roots) found.push(check.follow(unit, item, section, offset));
  for (const { name, spot } of structs.objects) {
    const callbacks = matchCallbacks(name, readCallbacks(module, btf, spot), units, wrong);
    for (const { unit, item, spot } of callbacks) found.push(check.follow(unit, item, spot.section, spot.offset));
  }
  // an object without any registered callback must not have one in the source
  for (const unit of units)
    if (unit.author.callbacks.length > 0 && !objects.includes(unit.object))
      wrong(unit.source, 'klp_object.callbacks', `the object ${unit.object}`, 'no such object');
  check.finish();
  problems.push(...check.deviations.map((deviation) => say.moduleWrong({ ...deviation })));
  for (const unit of units) {
    for (const { name } of unit.forgotten()) wrong(unit.source, name, 'other code than before', 'nothing in its place');
    for (const what of unit.contradictions) wrong(unit.source, 'the shipped code', 'one place for each thing', what);
  }
  for (const { name, undecided } of found)
    for (const what of undecided) problems.push(say.referenceUndecided({ function: name, what }));
  return { functions: found, problems };
}

function sameAsManifest(
  { functions: stated }: VerifyInput,
  functions: readonly PatchFunction[],
): { at: string; what: string }[] {
  const spell = (object: string, name: string, position: number): string => `${name},${position} [${object}]`;
  const wanted = new Set(stated.map((each) => spell(each.object, each.name, each.sympos)));
  const there = new Set(functions.map((each) => spell(each.object, each.oldName, each.oldPosition)));
  return [
    ...[...wanted]
      .filter((each) => !there.has(each))
      .map((each) => ({ at: each, what: 'the manifest has it, struct klp_patch has not' })),
    ...[...there]
      .filter((each) => !wanted.has(each))
      .map((each) => ({ at: each, what: 'struct klp_patch has it, the manifest has not' })),
  ];
}
