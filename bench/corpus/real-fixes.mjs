#!/usr/bin/env node
// real-fixes.mjs FROM TO DIR: real fixes out of two versions of Debian's kernel source package, one changed .c file a patch, for `corpus.mjs --maker`.
// The package follows from the version (6.12.117-1 is linux-source-6.12). What needs a header changed in the same update does not compile alone.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setUp } from '../../scripts/setup.mjs';

const [from, to, out] = process.argv.slice(2);
if (out === undefined) {
  process.stderr.write('real-fixes.mjs FROM TO DIR: two versions of linux-source-X.Y, and a folder for the patches\n');
  process.exit(2);
}
setUp();
const dist = '../../packages/livegraft/dist';
const { downloadSource } = await import(`${dist}/kernel/other-source.js`);
const { unpackSource } = await import(`${dist}/kernel/unpack.js`);
const { makeFolderWhole } = await import(`${dist}/support/files.js`);
const { silent } = await import(`${dist}/support/progress.js`);

/** What Debian's kernel for amd64 builds and a fix is likely to be in. */
const areas = [
  ...['arch/x86', 'block', 'crypto', 'fs', 'io_uring', 'kernel', 'mm', 'net', 'security', 'sound/core', 'virt'],
  ...['acpi', 'block', 'char', 'hid', 'infiniband/core', 'input', 'md', 'net/ethernet/intel', 'net/tun.c'].map(
    inDrivers,
  ),
  ...['net/virtio_net.c', 'nvme', 'pci', 'scsi', 'tty', 'usb', 'vhost', 'virtio'].map(inDrivers),
];
function inDrivers(path) {
  return `drivers/${path}`;
}

const shelf = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'livegraft-corpus/sources');

async function unpacked(version) {
  const folder = join(shelf, version);
  if (existsSync(folder)) return folder;
  const name = `linux-source-${/^\d+\.\d+/.exec(version)[0]}`;
  const deb = await downloadSource(name, version, { progress: silent });
  mkdirSync(shelf, { recursive: true });
  await makeFolderWhole(folder, (tree) => unpackSource(deb, name, tree));
  return folder;
}

const [before, after] = [await unpacked(from), await unpacked(to)];
mkdirSync(out, { recursive: true });
let count = 0;
for (const area of areas) {
  const files = area.endsWith('.c')
    ? [area]
    : readdirSync(join(before, area), { recursive: true }).map((name) => join(area, name));
  for (const file of files) {
    if (!file.endsWith('.c') || file.includes('test') || !existsSync(join(after, file))) continue;
    if (readFileSync(join(before, file)).equals(readFileSync(join(after, file)))) continue;
    const names = ['--label', `a/${file}`, '--label', `b/${file}`];
    const { stdout } = spawnSync('diff', ['-u', ...names, join(before, file), join(after, file)], {
      maxBuffer: 1 << 28,
    });
    writeFileSync(join(out, `${file.slice(0, -2).replaceAll('/', '_')}.patch`), stdout);
    count++;
  }
}
process.stdout.write(`${count} patches in ${out}\n`);
