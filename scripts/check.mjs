// npm run check [-- --without-tests]: the one gate: format and lint, types, import directions, unit tests, dead code. All run; the first failure
// decides the exit code. `.ci/run` has all tests behind it and leaves those of the gate to them.
import { join } from 'node:path';
import process from 'node:process';
import { nodePackages, root, run } from './setup.mjs';

nodePackages();

const bin = (path) => join(root, 'node_modules', path);
const withTests = !process.argv.includes('--without-tests');
const steps = [
  ['format and lint', bin('@biomejs/biome/bin/biome'), ['check', '--error-on-warnings', '.']],
  ['types', bin('typescript/bin/tsc'), ['-b']],
  [
    'typed lint',
    bin('oxlint/bin/oxlint'),
    ['--type-aware', '--deny-warnings', 'packages', 'packaging', 'scripts', 'bench'],
  ],
  ['import directions', join(root, 'scripts/check-imports.mjs'), []],
  ...(withTests ? [['unit tests', bin('vitest/vitest.mjs'), ['run', '--project', 'unit', '--reporter=dot']]] : []),
  ['dead code', bin('knip/bin/knip.js'), ['--no-progress']],
];
let failed = 0;
for (const [name, script, args] of steps) {
  const started = performance.now();
  const status = run(process.execPath, [script, ...args], { mayFail: true });
  process.stderr.write(
    `${status === 0 ? 'ok    ' : 'FAILED'} ${name} ${((performance.now() - started) / 1000).toFixed(1)} s\n`,
  );
  failed ||= status;
}
process.exit(failed);
