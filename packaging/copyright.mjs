// /usr/share/doc/livegraft/copyright: the licence of everything in the package, in full or by Debian's common copy of it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { licenceFiles } from './production.mjs';

/** Licences of which every Debian system has the text. */
const common = new Map([
  ['Apache-2.0', '/usr/share/common-licenses/Apache-2.0'],
  ['GPL-2.0-only', '/usr/share/common-licenses/GPL-2'],
]);

/** Throws when a package's licence has no text anywhere. */
export function copyrightText({ root, packages, runtime, nodeLicence }) {
  const libs = packages.filter(({ name }) => !/^(?:@livegraft\/|livegraft$)/.test(name));
  return [
    'livegraft, and what its package brings along: Node.js and some packages from npm. Each with its licence.\n',
    part(
      'livegraft',
      '/usr/lib/livegraft/node_modules/livegraft, /usr/lib/livegraft/node_modules/@livegraft',
      'MIT',
      readFileSync(join(root, 'LICENSE'), 'utf8'),
    ),
    part(
      'livegraft: what is compiled into modules',
      '/usr/lib/livegraft/node_modules/livegraft/kernel',
      'GPL-2.0-only',
      textOf('GPL-2.0-only'),
    ),
    ...libs.map((each) =>
      part(
        `${each.name} ${each.version}`,
        `/usr/lib/livegraft/node_modules/${each.place}`,
        each.license,
        licenceOf(each),
      ),
    ),
    part(`Node.js ${runtime.version}`, '/usr/lib/livegraft/node', 'MIT, and those of what is in it', nodeLicence),
  ].join('\n');
}

function part(what, where, licence, text) {
  return `${'='.repeat(78)}\n${what}\nFiles: ${where}\nLicence: ${licence}\n${'='.repeat(78)}\n\n${text.trim()}\n`;
}

function licenceOf(each) {
  const files = licenceFiles(each);
  if (files.length > 0) return files.map((file) => readFileSync(join(each.folder, file), 'utf8').trim()).join('\n\n');
  const text = textOf(each.license);
  if (text === undefined)
    throw new Error(`${each.name} ${each.version} (${each.license}) carries no text of its licence`);
  const { author } = JSON.parse(readFileSync(join(each.folder, 'package.json'), 'utf8'));
  const who = typeof author === 'string' ? author : author?.name;
  return `${who === undefined ? '' : `By ${who}. `}${text}`;
}

function textOf(licence) {
  const path = common.get(licence);
  return path === undefined ? undefined : `On Debian systems the text of this licence is in ${path}.`;
}
