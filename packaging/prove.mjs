// The proof of the package: installed, used, upgraded, removed in bare Debian 11, 12 and 13, and a livepatch loaded with it in a guest.
// Needs root, debootstrap and the archive; the root folders are kept in livegraft's cache.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const suites = [
  ['bullseye', 'Debian 11'],
  ['bookworm', 'Debian 12'],
  ['trixie', 'Debian 13'],
];
const repository = fileURLToPath(new URL('..', import.meta.url));
const program = join(repository, 'packages/livegraft/bin/livegraft.js');

/**
 * Prints a line for each thing tried in each Debian.
 * @param {{ deb: string, guest?: boolean }} options guest: also load a livepatch on a real kernel
 * @returns {Promise<boolean>} whether all went well
 */
export async function prove({ deb, guest = true }) {
  const work = mkdtempSync(join(tmpdir(), 'livegraft-prove-'));
  try {
    const material = join(work, 'proof');
    mkdirSync(material);
    copyFileSync(deb, join(material, 'newer.deb'));
    olderVersion(deb, material, work);
    compilePair(material);
    copyFileSync(new URL('prove.sh', import.meta.url), join(material, 'prove.sh'));
    const columns = suites.map(([suite, name]) => ({ name, lines: inRoot(bareRoot(suite), material, work) }));
    if (guest)
      for (const [i, [suite]] of suites.entries()) columns[i].lines.push(...inGuest(bareRoot(suite), deb, work));
    return tell(columns);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A minimal Debian in a folder, as debootstrap makes it: with no Node. */
function bareRoot(suite) {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'livegraft/packaging/roots');
  const path = join(folder, suite);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const unfinished = join(folder, `.tmp-${process.pid}-${suite}`);
  try {
    execFileSync('debootstrap', ['--variant=minbase', suite, unfinished], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return path;
}

/** The same package under an earlier version number. */
function olderVersion(deb, material, work) {
  const tree = join(work, 'older');
  execFileSync('dpkg-deb', ['-R', deb, tree]);
  const path = join(tree, 'DEBIAN/control');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^Version: .*/m, 'Version: 0.0.1'));
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', tree, join(material, 'older.deb')], {
    stdio: 'ignore',
  });
  rmSync(tree, { recursive: true });
}

function compilePair(material) {
  const flags = ['-O2', '-ffunction-sections', '-fdata-sections', '-c', '-x', 'c', '-'];
  for (const [name, bound] of [
    ['before', 8],
    ['after', 4],
  ]) {
    const input = `int table[8]; int pick(unsigned int i) { return i < ${bound} ? table[i] : -1; }\n`;
    execFileSync('gcc', [...flags, '-o', join(material, `${name}.o`)], { input });
  }
}

/** `ok …` and `FAILED …` lines of prove.sh in a fresh copy of the root; nothing of this machine is in it but a new /proc. */
function inRoot(root, material, work) {
  const copy = join(work, 'root');
  execFileSync('cp', ['-a', root, copy]);
  execFileSync('cp', ['-a', material, join(copy, 'proof')]);
  const script = 'mount -t proc proc "$1/proc" && exec chroot "$1" sh /proof/prove.sh 3>&1 >/dev/null 2>&1';
  const { stdout } = spawnSync('unshare', ['--mount', '--pid', '--fork', 'sh', '-c', script, '-', copy], {
    encoding: 'utf8',
  });
  rmSync(copy, { recursive: true, force: true, maxRetries: 3 });
  const lines = linesOf(stdout);
  return lines.length > 0 ? lines : [{ good: false, what: 'the root folder can be entered' }];
}

/** The packaged runtime on a real kernel: in a guest, chrooted into the root folder with the package in it. */
function inGuest(root, deb, work) {
  const copy = join(work, 'root');
  execFileSync('cp', ['-a', root, copy]);
  try {
    copyFileSync(deb, join(copy, 'root/livegraft.deb'));
    const chroot = (...command) => execFileSync('chroot', [copy, ...command], { stdio: 'ignore' });
    chroot('apt-get', 'update');
    chroot('apt-get', 'install', '-y', '--no-install-recommends', '/root/livegraft.deb');
    const kernel = '6.1.0-55-amd64';
    const patch = join(repository, 'examples/proc-meminfo/example.patch');
    const options = ['--kernel', kernel, '-o', join(copy, 'root'), '--name', 'livegraft_proof', '--quiet'];
    execFileSync(process.execPath, [program, 'build', patch, ...options], { stdio: 'ignore' });
    const script = join(work, 'guest.sh');
    writeFileSync(script, guestScript(copy));
    const said = spawnSync(process.execPath, [program, 'vm', kernel, '--quiet', '--', 'sh', script], {
      encoding: 'utf8',
    });
    const lines = linesOf(said.stdout);
    return lines.length > 0 ? lines : [{ good: false, what: 'guest', words: [said.stderr] }];
  } finally {
    rmSync(copy, { recursive: true, force: true, maxRetries: 3 });
  }
}

function guestScript(root) {
  return `
mkdir -p /tmp/root && mount --bind ${root} /tmp/root
for each in proc sys dev; do mount --bind /$each /tmp/root/$each; done
mount -t tmpfs tmpfs /tmp/root/run && mkdir -p /tmp/root/run/lock
check() { what=$1; shift; if "$@" >/tmp/said 2>&1; then echo "ok $what"; else echo "FAILED $what"; tail -n 5 /tmp/said; fi; }
in_root() { chroot /tmp/root "$@"; }
check 'guest: load' in_root livegraft load /root/livegraft_proof
check 'guest: the new code runs' grep RamTotal /proc/meminfo
check 'guest: status --check' in_root livegraft status --check
check 'guest: revert' in_root livegraft revert livegraft_proof
check 'guest: the shipped code runs' grep MemTotal /proc/meminfo
`;
}

/** @returns {{ good: boolean, what: string, words: string[] }[]} */
function linesOf(text) {
  const lines = [];
  for (const line of text.split('\n')) {
    const [, word, what] = /^(ok|FAILED) (.*)$/.exec(line) ?? [];
    if (what !== undefined) lines.push({ good: word === 'ok', what, words: [] });
    else if (line !== '') lines.at(-1)?.words.push(line);
  }
  return lines;
}

function tell(columns) {
  const all = [...new Set(columns.flatMap(({ lines }) => lines.map(({ what }) => what)))];
  const width = Math.max(...all.map((what) => what.length));
  const row = (first, cells) =>
    process.stdout.write(`${[first.padEnd(width), ...cells.map((cell) => cell.padEnd(9))].join('  ').trimEnd()}\n`);
  row(
    '',
    columns.map(({ name }) => name),
  );
  for (const what of all) {
    const found = columns.map(({ lines }) => lines.find((line) => line.what === what));
    row(
      what,
      found.map((line) => (line === undefined ? '-' : line.good ? 'ok' : 'FAILED')),
    );
    for (const line of found)
      for (const word of line?.good === false ? (line.words ?? []) : []) process.stdout.write(`    ${word}\n`);
  }
  return columns.every(({ lines }) => lines.every(({ good }) => good));
}
