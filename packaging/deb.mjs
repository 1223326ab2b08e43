// The Debian package: a tree of files as it will lie on the machine, and dpkg-deb. The same sources give the same bytes.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readTree } from './command-tree.mjs';
import { bashCompletion, fishCompletion, zshCompletion } from './completions.mjs';
import { control } from './control.mjs';
import { copyrightText } from './copyright.mjs';
import { mainPage, readExitCodes, servicePage } from './man.mjs';
import { productionPackages } from './production.mjs';
import { runtime, unpackRuntime } from './runtime.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'packages/livegraft');
const units = join(source, 'systemd');

/** Documents for users; the man page names the folder they go to. */
const documents = [
  'README.md',
  'CHANGELOG.md',
  ...['bundle', 'errors', 'exit-codes', 'install', 'json', 'limits'].map((name) => `docs/${name}.md`),
];

/**
 * Builds `livegraft_VERSION_amd64.deb` in a folder, from what is in dist/ and node_modules/.
 * @param {{ out: string, version?: string, fast?: boolean }} options another version than package.json's, to try upgrades; hardly compressed, for tests
 * @returns {Promise<{ path: string, size: number, installed: number }>} sizes in bytes
 */
export async function buildDeb({ out, version = packageVersion(), fast = false }) {
  const epoch = sourceDate();
  const tree = mkdtempSync(join(tmpdir(), 'livegraft-deb-'));
  try {
    await fill(tree, version, epoch);
    const installed = sizeOf(tree);
    const shipped = filesOf(tree);
    mkdirSync(join(tree, 'DEBIAN'));
    put(tree, 'DEBIAN/md5sums', shipped.map((file) => `${md5(join(tree, file))}  ${file}\n`).join(''));
    put(tree, 'DEBIAN/control', control({ version, kilobytes: Math.ceil(installed / 1024) }));
    const words = unitWords();
    for (const name of ['postinst', 'prerm', 'postrm']) {
      const text = readFileSync(join(root, 'packaging/debian', name), 'utf8');
      put(
        tree,
        `DEBIAN/${name}`,
        text.replaceAll(/@(ON|OFF|ALL)@/g, (_, which) => words[which]),
        0o755,
      );
    }
    settle(tree, epoch);
    mkdirSync(out, { recursive: true });
    const path = join(out, `livegraft_${version}_amd64.deb`);
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
    // xz: Debian 11's dpkg knows nothing newer
    execFileSync('dpkg-deb', ['--root-owner-group', ...(fast ? ['-Zgzip', '-z1'] : ['-Zxz']), '--build', tree, path], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return { path, size: statSync(path).size, installed };
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

export function packageVersion() {
  return JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')).version;
}

/** The man pages and completions, by where they go. */
export async function generated({ version, date }) {
  const { app } = await import(pathToFileURL(join(source, 'dist/cli/app.js')).href);
  const tree = readTree(app.root);
  const exitCodes = readExitCodes(readFileSync(join(root, 'docs/exit-codes.md'), 'utf8'));
  const facts = { version, date, exitCodes };
  return {
    'usr/share/man/man1/livegraft.1': mainPage(tree, facts),
    'usr/share/man/man8/livegraft.service.8': servicePage(facts),
    'usr/share/bash-completion/completions/livegraft': bashCompletion(tree),
    'usr/share/zsh/vendor-completions/_livegraft': zshCompletion(tree),
    'usr/share/fish/vendor_completions.d/livegraft.fish': fishCompletion(tree),
  };
}

async function fill(tree, version, epoch) {
  const lib = join(tree, 'usr/lib/livegraft');
  mkdirSync(lib, { recursive: true });
  unpackRuntime(lib);
  const nodeLicence = readFileSync(join(lib, 'LICENSE'), 'utf8');
  rmSync(join(lib, 'LICENSE'));
  const packages = productionPackages(root);
  for (const { folder, place, files } of packages)
    for (const file of files) copy(join(folder, file), join(lib, 'node_modules', place, file));
  if (version !== packageVersion()) {
    const path = join(lib, 'node_modules/livegraft/package.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"version": "[^"]+"/, `"version": "${version}"`));
  }
  copy(join(root, 'packaging/debian/livegraft'), join(tree, 'usr/bin/livegraft'));
  for (const name of readdirSync(units)) copy(join(units, name), join(tree, 'usr/lib/systemd/system', name));
  mkdirSync(join(tree, 'etc/livegraft'), { recursive: true });

  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  for (const [place, text] of Object.entries(await generated({ version, date }))) {
    if (place.includes('/man/')) put(tree, `${place}.gz`, gzipSync(text, { level: 9 }));
    else put(tree, place, text);
  }
  const doc = 'usr/share/doc/livegraft';
  for (const document of documents.filter((each) => existsSync(join(root, each))))
    put(tree, join(doc, document), readFileSync(join(root, document)));
  put(tree, join(doc, 'changelog.gz'), gzipSync(changelog(version, epoch), { level: 9 }));
  put(tree, join(doc, 'copyright'), copyrightText({ root, packages, runtime, nodeLicence }));
}

function changelog(version, epoch) {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `livegraft (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- the livegraft authors <livegraft@localhost>  ${date}\n`;
}

/** Which units are enabled when the package is installed: those that say where they belong, but for the figures. */
function unitWords() {
  const all = readdirSync(units).sort();
  const installable = all.filter((name) => /^\[Install\]/m.test(readFileSync(join(units, name), 'utf8')));
  const off = installable.filter((name) => name.includes('metrics'));
  const on = installable.filter((name) => !off.includes(name));
  return { ALL: all.join(' '), ON: on.join(' '), OFF: off.join(' ') };
}

/** Seconds: SOURCE_DATE_EPOCH, else the last commit. */
function sourceDate() {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && given !== '') return Number(given);
  return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }));
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

function put(tree, place, content, mode = 0o644) {
  const path = join(tree, place);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

const executable = new Set([
  'usr/bin/livegraft',
  'usr/lib/livegraft/node',
  'DEBIAN/postinst',
  'DEBIAN/prerm',
  'DEBIAN/postrm',
]);

/** The same modes and times whoever builds, with whatever umask. */
function settle(tree, epoch) {
  chmodSync(tree, 0o755);
  const entries = readdirSync(tree, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    chmodSync(path, entry.isDirectory() || executable.has(relative(tree, path)) ? 0o755 : 0o644);
    lutimesSync(path, epoch, epoch);
  }
  lutimesSync(tree, epoch, epoch);
}

function filesOf(tree) {
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(tree, join(entry.parentPath, entry.name)))
    .sort();
}

function sizeOf(tree) {
  return filesOf(tree).reduce((sum, file) => sum + statSync(join(tree, file)).size, 0);
}

function md5(path) {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}
