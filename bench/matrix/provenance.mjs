// How much of rebuilt units is the shipped code, and whether another compiler and another configuration are noticed, by function name.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readElf } from '@livegraft/binfmt/elf/read';
import { changedConfig, foreignCompiler, units } from './kernels.mjs';

const dist = '../../packages/livegraft/dist';
const { ShippedObjects } = await import(`${dist}/build/shipped-objects.js`);
const { compileSource, compileUnit, inputOf } = await import(`${dist}/kbuild/compile.js`);
const { withObjtool } = await import(`${dist}/kbuild/objtool.js`);
const { findUnit } = await import(`${dist}/kbuild/find-unit.js`);
const { cutObject } = await import(`${dist}/objdiff/atoms.js`);
const { placeUnit } = await import(`${dist}/provenance/place.js`);

/**
 * Compares whole units with the shipped code.
 * @returns by object: how many functions are equal, how many are overridden or of start-up, and the names of those that differ
 */
export async function compareUnits(kernel) {
  const shipped = await ShippedObjects.open(kernel);
  const result = {};
  for (const [object, sources] of Object.entries(units)) {
    const counts = { equal: 0, apart: 0, different: [] };
    for (const source of sources) {
      const unit = await findUnit(kernel, source);
      const { object: proof } = await compileUnit({ kernel, unit, variant: 'proof' });
      const { equal, apart, different } = await states(shipped, unit, proof);
      counts.equal += equal;
      counts.apart += apart;
      counts.different.push(...different);
    }
    result[object] = counts;
  }
  return result;
}

/** Names of functions that differ when another compiler compiles. @param compiler the program, with its full path or on PATH */
export async function differsByCompiler(kernel, compiler) {
  return differing(kernel, foreignCompiler.unit, ([, ...words]) => [
    compiler,
    ...words.filter((word) => isKnown(word)),
  ]);
}

/** Flags that an older compiler may not have do not matter for the question. */
function isKnown(word) {
  return !/^-(W|fdiagnostics|ftrivial-auto-var-init|mharden-sls|fstrict-flex-arrays|fzero-init-padding|fmin-function-alignment|mindirect-branch-cs-prefix|std=)/.test(
    word,
  );
}

/** Names of functions that differ when one option of the configuration is off. */
export async function differsByConfig(kernel, scratch) {
  const { option, unit } = changedConfig;
  const folder = join(scratch, 'config', 'generated');
  const autoconf = readFileSync(join(kernel.paths.build, 'include/generated/autoconf.h'), 'utf8');
  const changed = autoconf.replace(`#define ${option} 1\n`, '');
  if (changed === autoconf) throw new Error(`${kernel.name} has no ${option}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'autoconf.h'), changed);
  try {
    return await differing(kernel, unit, ([compiler, ...words]) => [compiler, '-I', join(folder, '..'), ...words]);
  } finally {
    rmSync(join(folder, '..'), { recursive: true, force: true });
  }
}

async function differing(kernel, source, change) {
  const shipped = await ShippedObjects.open(kernel);
  const unit = await findUnit(kernel, source);
  const command = await withObjtool(kernel, unit.command);
  const { object } = await compileSource({
    kernel,
    name: source,
    command: { ...command, compile: change(command.compile) },
    input: inputOf(unit, kernel),
    flags: ['-g0', '-w'],
  });
  return (await states(shipped, unit, object)).different;
}

async function states(shipped, unit, proof) {
  const placement = placeUnit(cutObject(readElf(proof)), await shipped.object(unit.klpObject));
  const counts = { equal: 0, apart: 0, different: [] };
  const absent = [];
  for (const atom of placement.proof.atoms) {
    if (atom.kind !== 'function') continue;
    const { state, name } = placement.functions.get(atom.name);
    if (state === 'equal') counts.equal++;
    else if (state === 'overridden' || atom.role === 'once') counts.apart++;
    else if (state === 'absent') absent.push(name);
    else counts.different.push(name);
  }
  // what was compared and differs says more than what was not found
  counts.different.push(...absent);
  return counts;
}
