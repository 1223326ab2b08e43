// What of the workspace and of npm's packages runs: livegraft, what it depends on, and of those only what Node reads.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** What a package carries that no program reads: types, maps, tests, words for developers. */
const unread = [
  /\.d\.[cm]?ts$/,
  /\.map$/,
  /\.tsbuildinfo$/,
  /^(?:tests?|docs?|\.github)\//,
  /^(?:readme|changelog|history|contributing)\b[^/]*$/i,
];
/** And of our own: what only tests and fuzzing use. */
const ours = [/\.(?:test|case|vm)\.js$/, /(?:^|\/)testing(?:\/|\.js$)/];

/**
 * @typedef {object} Installed
 * @property {string} name
 * @property {string} version
 * @property {string} license SPDX
 * @property {string} folder where it lies here
 * @property {string} place where it goes, below node_modules
 * @property {readonly string[]} files below `folder`
 */

/**
 * livegraft and all it depends on, from the lock file. Throws when something else is installed than the lock file states.
 * @returns {Installed[]}
 */
export function productionPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const found = new Map();
  const add = (key) => {
    const linked = packages[key].link === true ? packages[key].resolved : key;
    if (found.has(key)) return;
    const folder = join(root, linked);
    const own = linked !== key;
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const { version = manifest.version, dependencies = {} } = packages[linked];
    if (manifest.version !== version)
      throw new Error(`${linked} is ${manifest.version}, the lock file says ${version}; run npm ci`);
    const place = key.replace(/^node_modules\//, '');
    const files = own ? ownFiles(folder, manifest) : packageFiles(folder);
    found.set(key, { name: manifest.name, version, license: manifest.license, folder, place, files });
    for (const name of Object.keys(dependencies)) add(resolve(packages, key, name));
  };
  add('node_modules/livegraft');
  const all = [...found.values()].toSorted((a, b) => (a.place < b.place ? -1 : 1));
  for (const each of all) for (const file of each.files) checkImports(each, file);
  return all;
}

/** Where `from` finds a package: in its own node_modules, or further up. */
function resolve(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const key = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (key in packages) return key;
    if (folder === '') throw new Error(`${name}, which ${from} depends on, is not in the lock file`);
  }
}

function packageFiles(folder) {
  return filesBelow(folder).filter(
    (file) => !file.startsWith('node_modules/') && !unread.some((each) => each.test(file)),
  );
}

/** A package of the workspace: built code of which the source is still there, and the folders that its package.json names. */
function ownFiles(folder, { files = ['dist'] }) {
  const wanted = files.filter((each) => !each.startsWith('!'));
  return filesBelow(folder).filter((file) => {
    if (file === 'package.json') return true;
    if (!wanted.includes(file.split('/')[0]) || [...unread, ...ours].some((each) => each.test(file))) return false;
    const source = file.replace(/^dist\/(.*)\.js$/, 'src/$1.ts');
    return source === file || existsSync(join(folder, source));
  });
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** What a file of ours imports must be packed too. */
function checkImports({ folder, name, files }, file) {
  if (!/^(?:@livegraft\/|livegraft$)/.test(name) || !file.endsWith('.js')) return;
  const text = readFileSync(join(folder, file), 'utf8');
  for (const [, from] of text.matchAll(/(?:from|import\(|import)\s*'(\.[^']+)'/g)) {
    const target = join(dirname(file), from);
    if (!files.includes(target)) throw new Error(`${name}: ${file} imports ${target}, which is not packed`);
  }
}

/** Files of a package that state its licence. */
export function licenceFiles({ folder }) {
  return readdirSync(folder).filter((file) => /^(?:licen[cs]e|copying|notice)\b/i.test(file));
}
