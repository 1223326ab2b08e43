// npm run deb: the Debian package, in dist/ or a folder named behind `--`.
// Options: --no-build (take dist/ as it is), --fast (hardly compressed), --package-version V (to try upgrades), --check (twice, compared, and the man pages linted),
// --prove (installed, used, removed in root folders of Debian 11, 12 and 13; root and debootstrap; packaging/prove.mjs).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { buildDeb, generated } from '../packaging/deb.mjs';
import { nodePackages, root, run } from './setup.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: 'boolean', default: true },
    'package-version': { type: 'string' },
    check: { type: 'boolean' },
    prove: { type: 'boolean' },
    fast: { type: 'boolean', default: false },
    guest: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
if (options.build) {
  nodePackages();
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b']);
}
const [out = join(root, 'dist')] = positionals;
const version = options['package-version'];
const made = await buildDeb({ out, fast: options.fast, ...(version === undefined ? {} : { version }) });
process.stdout.write(`${relative('.', made.path)}  ${megabytes(made.size)}, installed ${megabytes(made.installed)}\n`);
if (options.check) await check(made);
if (options.prove) {
  const { prove } = await import('../packaging/prove.mjs');
  process.exitCode = (await prove({ deb: made.path, guest: options.guest })) ? 0 : 1;
}

async function check({ path }) {
  const folder = mkdtempSync(join(tmpdir(), 'livegraft-deb-check-'));
  try {
    const again = await buildDeb({ out: folder, fast: options.fast, ...(version === undefined ? {} : { version }) });
    const same = readFileSync(path).equals(readFileSync(again.path));
    tell(same, 'built twice, the same bytes');
    for (const [place, text] of Object.entries(await generated({ version: '0', date: '2000-01-01' }))) {
      if (!place.includes('/man/')) continue;
      const page = join(folder, basename(place));
      writeFileSync(page, text);
      const env = { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8' };
      const said = execFileSync('sh', ['-c', 'man --warnings -l "$1" 2>&1 >/dev/null', '-', page], {
        encoding: 'utf8',
        env,
      });
      tell(said === '', `${basename(place)}: man has no warnings${said === '' ? '' : `\n${said}`}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tell(good, what) {
  process.stdout.write(`${good ? 'ok    ' : 'FAILED'} ${what}\n`);
  if (!good) process.exitCode = 1;
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
