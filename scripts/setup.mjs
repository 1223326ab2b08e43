// What `npm run demo`, `npm test` and `npm run bench` need and a fresh machine lacks: Node's packages, system packages, the build.
// Plain JavaScript without dependencies: it runs before there are any.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** System packages, by a file that shows they are there. `packages/livegraft/src/cli/requirements.ts` has the same programs. */
const system = {
  'gcc-12': '/usr/bin/gcc-12',
  gcc: '/usr/bin/gcc',
  make: '/usr/bin/make',
  binutils: '/usr/bin/ld',
  'libc6-dev': '/usr/include/stdio.h',
  flex: '/usr/bin/flex',
  bison: '/usr/bin/bison',
  'libelf-dev': '/usr/include/libelf.h',
  'libssl-dev': '/usr/include/openssl/ssl.h',
  bc: '/usr/bin/bc',
  python3: '/usr/bin/python3',
  'xz-utils': '/usr/bin/xz',
  zstd: '/usr/bin/zstd',
  lz4: '/usr/bin/lz4',
  git: '/usr/bin/git',
  diffutils: '/usr/bin/diff',
  'qemu-system-x86': '/usr/bin/qemu-system-x86_64',
  'busybox-static': '/bin/busybox',
  e2fsprogs: '/sbin/mkfs.ext4',
};

/** What only the tests call: independent tools to check against. */
const forTests = {
  cpio: '/usr/bin/cpio',
  kmod: '/sbin/modinfo',
  dwarves: '/usr/bin/pahole',
  chromium: '/usr/bin/chromium',
};

/** What loads the guest in which `npm run soak` works (and a test of it). */
export const forSoak = { 'stress-ng': '/usr/bin/stress-ng' };

/** Runs a program with our output; its failure ends us with its exit code. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) fail(`Cannot start ${program}: ${result.error.message}`);
  if (result.signal) process.kill(process.pid, result.signal);
  if (result.status !== 0 && !options.mayFail) process.exit(result.status ?? 1);
  return result.status ?? 1;
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** Makes everything ready; says what it does when that takes long. */
export function setUp({ tests = false, more = {} } = {}) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`livegraft needs Node 20.19 or later, this is ${process.version}`);
  }
  systemPackages({ ...system, ...(tests ? { ...forTests, ...forSoak } : {}), ...more });
  nodePackages();
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b']);
}

function systemPackages(wanted) {
  const missing = Object.keys(wanted).filter((name) => !existsSync(wanted[name]));
  if (missing.length === 0) return;
  const line = `apt-get update && sudo apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0)
    fail(`Some system packages are missing. Install them, then run this again:\n\n  sudo ${line}\n`);
  if (!existsSync('/usr/bin/apt-get'))
    fail(`Missing: ${missing.join(', ')}; and there is no apt-get to install them with`);
  process.stderr.write(`Installing system packages: ${missing.join(' ')}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const quiet = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  run('apt-get', ['-q', 'update'], { ...quiet, mayFail: true });
  run('apt-get', ['-q', '-y', 'install', '--no-install-recommends', ...missing], quiet);
}

/** `npm ci` when the lock file has changed since the last time. */
export function nodePackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules/.livegraft-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  try {
    accessSync(root, constants.W_OK);
  } catch {
    fail(`Cannot write to ${root}; clone livegraft into a folder of your own`);
  }
  process.stderr.write('Installing the npm packages\n');
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], { stdio: ['ignore', 'ignore', 'inherit'] });
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, lock);
}
