// npm test: installs what is missing, then runs all tests: unit, cases with the real compiler, real kernels under emulation.
// Words behind `npm test --` go to vitest; its last line is "N passed, N failed".
import { join } from 'node:path';
import process from 'node:process';
import { root, run, setUp } from './setup.mjs';

setUp({ tests: true });
const args = [
  'run',
  '--reporter=default',
  `--reporter=${join(root, 'scripts/summary-reporter.mjs')}`,
  ...process.argv.slice(2),
];
process.exit(run(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...args], { mayFail: true }));
