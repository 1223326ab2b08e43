/**
 * The unit of a .c file with its command. `make FILE.o` tells it in three seconds, from the `.NAME.o.cmd` file that it leaves; but not of
 * a file that another folder's Makefile compiles (`../../virt/kvm/kvm_main.o`): the list of all units has those, which takes longer, once.
 */
import { readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { doesNotCompile, includerDisabled, unitDisabled, unitNotBuilt } from '../diagnostics/kbuild.ts';
import type { Kernel } from '../kernel/types.ts';
import { writeFileWhole } from '../support/files.ts';
import { type Progress, silent } from '../support/progress.ts';
import { klpObjectOf, parseCommand } from './command.ts';
import { isConfigured } from './configured.ts';
import { errorLines, runMake, withBuildTree } from './make.ts';
import { plainRules } from './rules.ts';
import { savedCommand } from './shell.ts';
import type { Unit } from './types.ts';
import { keptUnitIndex, readUnitIndex, type UnitIndex, unitOf } from './unit-index.ts';

interface StoredUnit {
  readonly schema: 1;
  /** The source folder that the command names; a kernel whose folder was moved is asked again. */
  readonly root: string;
  readonly unit: Unit;
}

export interface FindOptions {
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/**
 * @param source path in the source tree
 * @throws LivegraftError `unit-not-built`, `unit-disabled`, `does-not-compile`, `unit-shared`, `command-not-understood` (exit 4);
 * `config-drifted` (exit 5); `busy` (exit 75)
 */
export async function findUnit(kernel: Kernel, source: string, options: FindOptions = {}): Promise<Unit> {
  const { progress = silent, signal } = options;
  const file = join(kernel.dir, 'units', `${source}.json`);
  const stored = await readFile(file, 'utf8')
    .then((text) => JSON.parse(text) as StoredUnit)
    .catch(() => undefined);
  const root = kernel.paths.source;
  if (stored?.schema === 1 && stored.root === root) return stored.unit;
  const index = await keptUnitIndex(kernel);
  if (index !== undefined) return (await inIndex(kernel, index, source, signal)) ?? refuse(kernel, source);
  if (await isConfigured(kernel, source, signal)) {
    const unit = await withBuildTree(kernel, signal, () => askKbuild(kernel, source, signal));
    if (unit !== undefined && isAtHome(unit)) {
      await writeFileWhole(file, JSON.stringify({ schema: 1, root, unit } satisfies StoredUnit));
      return unit;
    }
  }
  const made = await readUnitIndex(kernel, { progress, ...(signal === undefined ? {} : { signal }) });
  return (await inIndex(kernel, made, source, signal)) ?? refuse(kernel, source);
}

function refuse(kernel: Kernel, source: string): never {
  throw new LivegraftError(unitDisabled({ source, kernel: kernel.name }));
}

async function inIndex(
  kernel: Kernel,
  index: UnitIndex,
  source: string,
  signal: AbortSignal | undefined,
): Promise<Unit | undefined> {
  // some are compiled once more, with other flags, for what runs before the kernel (drivers/firmware/efi/libstub)
  const all = index.units.filter((unit) => unit.source === source);
  const indexed = all.find(({ linked }) => linked) ?? all[0];
  if (indexed !== undefined) return unitOf(indexed);
  if (!index.unknown.includes(source.replace(/\.c$/, ''))) return undefined;
  const unit = await withBuildTree(kernel, signal, () => askKbuild(kernel, source, signal));
  if (unit === undefined) throw new LivegraftError(unitNotBuilt({ source, output: 'there is no rule for it' }));
  return unit;
}

/**
 * A single target is built by the Makefile of the nearest folder, even if it is another one that builds it with the kernel, with
 * other flags (arch/x86/power). What is built in names its Makefile's folder.
 */
function isAtHome({ source, command }: Unit): boolean {
  const file = command.compile.map((word) => /^-DKBUILD_MODFILE="(.+)"$/.exec(word)?.[1]).find((found) => found);
  return file === undefined || dirname(file) === dirname(source);
}

/** By make's single target; undefined when it has no rule for it. */
async function askKbuild(kernel: Kernel, source: string, signal: AbortSignal | undefined): Promise<Unit | undefined> {
  const target = source.replace(/\.c$/, '.o');
  const cmdFile = join(kernel.paths.build, dirname(target), `.${basename(target)}.cmd`);
  const made = await runMake(kernel, [await plainRules(kernel), target], signal);
  const output = `${made.stderr}\n${made.stdout}`;
  if (made.exitCode !== 0) {
    // kbuild removes the object, but a .cmd of an earlier kernel's day would be believed
    await rm(cmdFile, { force: true });
    if (/No rule to make target/.test(output)) return undefined;
    throw new LivegraftError(doesNotCompile({ source, output: errorLines(output) }));
  }
  const text = await readFile(cmdFile, 'utf8').catch(() => undefined);
  const line = text === undefined ? undefined : savedCommand(text, target);
  if (line === undefined)
    throw new LivegraftError(unitNotBuilt({ source, output: 'make made no command file for it' }));
  const command = parseCommand(source, line, target, join(kernel.paths.source, source));
  return { source, klpObject: klpObjectOf(source, command.compile), command };
}

export interface FoundUnits {
  readonly units: readonly Unit[];
  readonly findings: readonly Diagnostic[];
}

/**
 * The units of several .c files. Those that are there only because they include a changed file (they are not in `changed`) are
 * left out with a note when the kernel's configuration does not have them.
 */
export async function findUnits(
  kernel: Kernel,
  sources: readonly string[],
  changed: readonly string[],
  options: FindOptions = {},
): Promise<FoundUnits> {
  const units: Unit[] = [];
  const findings: Diagnostic[] = [];
  for (const source of sources) {
    try {
      units.push(await findUnit(kernel, source, options));
    } catch (error) {
      const disabled = error instanceof LivegraftError && error.code === 'unit-disabled';
      if (!disabled || changed.includes(source)) throw error;
      findings.push(includerDisabled({ source }));
    }
  }
  return { units, findings };
}
