// npm run shift -- --kernel RELEASE [--count 50] [--seed 1]: blank lines at the top of real units change no function.
// Each unit is compiled as it is, with three blank lines at its top and livegraft's #line marks, and with them but without marks
// (as objects from elsewhere are: `livegraft diff`); the differ must call every function unchanged. Exit code 1 when it does not.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { readElf } from '@livegraft/binfmt/elf/read';
import { setUp } from '../scripts/setup.mjs';

const { values: options } = parseArgs({
  options: {
    kernel: { type: 'string', default: '6.1.0-55-amd64' },
    count: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
});
setUp();
const dist = '../packages/livegraft/dist';
const { openKernel } = await import(`${dist}/kernel/store.js`);
const { cacheDir } = await import(`${dist}/kernel/places.js`);
const { findUnit } = await import(`${dist}/kbuild/find-unit.js`);
const { compileUnit } = await import(`${dist}/kbuild/compile.js`);
const { withPatchedTree } = await import(`${dist}/kbuild/tree.js`);
const { markLines } = await import(`${dist}/patch/lines.js`);
const { byteString, joinLines, splitLines } = await import(`${dist}/patch/text.js`);
const { diffObjects } = await import(`${dist}/objdiff/diff.js`);

const folders = [
  'kernel',
  'mm',
  'fs',
  'net',
  'block',
  'io_uring',
  'crypto',
  'security',
  'drivers/net',
  'drivers/scsi',
  'arch/x86/kernel',
  'arch/x86/kvm',
];
const kernel = await openKernel(options.kernel).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(error.exit ?? 1);
});
const { source } = kernel.paths;
const scratch = join(cacheDir(), 'scratch', `shift-${process.pid}`);
mkdirSync(scratch, { recursive: true });
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const rank = (path) => createHash('sha256').update(`${options.seed} ${path}`).digest('hex');
const candidates = folders
  .flatMap((folder) => readdirSync(join(source, folder), { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && entry.name.endsWith('.c'))
  .map((entry) => relative(source, join(entry.parentPath, entry.name)))
  .sort((a, b) => (rank(a) < rank(b) ? -1 : 1));

const wanted = Number(options.count);
const totals = { units: 0, functions: 0, marked: 0, unmarked: 0, shifted: 0 };
for (const path of candidates) {
  if (totals.units === wanted) break;
  const found = await objects(path);
  if (found === undefined) continue;
  const { original, marked, unmarked } = found;
  const withMarks = changedIn(path, original, marked, true);
  const without = changedIn(path, original, unmarked, false);
  const strict = changedIn(path, original, unmarked, true);
  totals.units++;
  totals.functions += withMarks.count;
  if (withMarks.changed.length === 0) totals.marked++;
  if (without.changed.length === 0) totals.unmarked++;
  if (strict.changed.length > 0) totals.shifted++;
  const say = (list) => (list.length === 0 ? 'unchanged' : `${list.length} changed: ${list.slice(0, 5).join(', ')}`);
  process.stdout.write(
    `${path} (${withMarks.count} functions): with marks ${say(withMarks.changed)}; without ${say(without.changed)}\n`,
  );
}
process.stdout.write(
  `${totals.units} units with ${totals.functions} functions; unchanged with marks: ${totals.marked} of ${totals.units}; ` +
    `without marks: ${totals.unmarked} of ${totals.units} (${totals.shifted} of them have code that names a line)\n`,
);
if (totals.marked < totals.units) process.exitCode = 1;

/** The three objects of a unit; undefined when this kernel does not have the unit. */
async function objects(path) {
  let unit;
  try {
    unit = await findUnit(kernel, path);
  } catch (error) {
    if (['unit-disabled', 'unit-not-built', 'unit-shared', 'does-not-compile'].includes(error.code)) return undefined;
    throw error;
  }
  const lines = splitLines(byteString(readFileSync(join(source, path))));
  const blank = [1, 2, 3].map(() => ({ text: '', newline: true }));
  const shifted = [...blank, ...lines];
  const origins = [...blank.map(() => undefined), ...lines.map((_, i) => i + 1)];
  const compile = async (texts) =>
    withPatchedTree(
      source,
      scratch,
      new Map([[path, joinLines(texts)]]),
      async (tree) => (await compileUnit({ kernel, unit, variant: 'pair', tree })).object,
    );
  const [original, marked] = await Promise.all([
    compileUnit({ kernel, unit, variant: 'pair' }).then(({ object }) => object),
    compile(markLines(shifted, origins)),
  ]);
  return { original, marked, unmarked: await compile(shifted) };
}

function changedIn(path, original, patched, marked) {
  const { functions, findings } = diffObjects(path, readElf(original), readElf(patched), { marked });
  const changed = functions.filter((f) => f.verdict !== 'unchanged').map((f) => f.name);
  const errors = findings.filter((finding) => finding.severity === 'error').map((finding) => finding.code);
  return { count: functions.length, changed: [...changed, ...errors] };
}
