// npm run demo: installs what is missing, then runs `livegraft demo`.
import { join } from 'node:path';
import process from 'node:process';
import { root, run, setUp } from './setup.mjs';

setUp();
process.exit(
  run(process.execPath, [join(root, 'packages/livegraft/bin/livegraft.js'), 'demo', ...process.argv.slice(2)], {
    mayFail: true,
  }),
);
