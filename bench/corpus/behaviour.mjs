// npm run behaviour -- --kernel RELEASE --patches DIR: what the text analyses of the review say of each patch of a folder, without building any.
// Prints a line a finding (unless --quiet) and the counts.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { root, setUp } from '../../scripts/setup.mjs';

const { values: options } = parseArgs({
  options: {
    kernel: { type: 'string' },
    patches: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
});
if (options.kernel === undefined || options.patches === undefined) {
  process.stderr.write('npm run behaviour -- --kernel RELEASE --patches DIR [--quiet]\n');
  process.exit(2);
}
setUp();
const dist = join(root, 'packages/livegraft/dist');
const { applyPatches } = await import(`${dist}/patch/apply.js`);
const { parsePatch } = await import(`${dist}/patch/parse.js`);
const { LivegraftError } = await import(`${dist}/diagnostics/diagnostic.js`);
const { openKernel } = await import(`${dist}/kernel/store.js`);
const { behaviourOf } = await import(`${dist}/review/behaviour/behaviour.js`);

const kernel = await openKernel(options.kernel);
const folder = resolve(options.patches);
const scratch = mkdtempSync(join(tmpdir(), 'livegraft-behaviour-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const fixes = new Map();
let read = 0;
let apart = 0;
for (const name of readdirSync(folder)
  .filter((each) => each.endsWith('.patch'))
  .sort()) {
  const findings = await findingsOf(name);
  if (findings === undefined) {
    apart++;
    continue;
  }
  read++;
  for (const code of new Set(findings.map((each) => each.code))) fixes.set(code, (fixes.get(code) ?? 0) + 1);
  if (options.quiet) continue;
  for (const { code, place, message, spots = [] } of findings) {
    process.stdout.write(`${name}: ${code} ${place}: ${message}\n`);
    for (const { file, line, side, what } of spots) process.stdout.write(`    ${file}:${line} (${side}) ${what}\n`);
  }
}
for (const [code, count] of [...fixes].sort((a, b) => b[1] - a[1]))
  process.stdout.write(`${String(count).padStart(5)} of ${read} fixes: ${code}\n`);
if (apart > 0) process.stdout.write(`${apart} do not apply to this kernel's source\n`);

async function findingsOf(name) {
  try {
    const patch = parsePatch(name, readFileSync(join(folder, name)));
    const paths = new Set(patch.files.map(({ path }) => path));
    const applied = await applyPatches({ patches: [patch], source: kernel.paths.source, paths, scratch });
    return behaviourOf([...applied.files.values()]);
  } catch (error) {
    if (error instanceof LivegraftError) return undefined;
    throw error;
  }
}
