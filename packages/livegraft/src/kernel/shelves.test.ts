import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { optionsOf, parseTargets, shelvesFor, sourcesOf } from './shelves.ts';

const stanzas = `# Debian
Types: deb
URIs: file:/off
Enabled: no

# only a comment

Types: deb
URIs: file:/archive
Suites: bookworm
Signed-By: /keys/a.gpg
Trusted: yes

Types: deb
URIs: file:/security
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQ
 -----END PGP PUBLIC KEY BLOCK-----
`;

const lines = `# Debian

deb [arch=amd64 signed-by=/keys/a.gpg,/keys/b.gpg trusted=yes check-valid-until=no] file:/archive bookworm main
deb file:/security bookworm-security main
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livegraft-shelves-'));
  await writeFile(join(folder, 'debian.sources'), stanzas);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('optionsOf', () => {
  test('the keys of the very entry, a key in the text included; never that it is trusted', () => {
    expect(optionsOf(stanzas, '/x/debian.sources:2')).toBe('Signed-By: /keys/a.gpg\n');
    expect(optionsOf(stanzas, '/x/debian.sources:3')).toBe(
      'Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ\n -----END PGP PUBLIC KEY BLOCK-----\n',
    );
    expect(optionsOf(lines, '/x/sources.list:3')).toBe('Signed-By: /keys/a.gpg /keys/b.gpg\nCheck-Valid-Until: no\n');
    expect(optionsOf(lines, '/x/sources.list:4')).toBe('');
    expect(optionsOf('', '/x/sources.list:9')).toBe('');
  });
});

describe('sourcesOf', () => {
  test('the suites of a release, security ones at their own place; archives of others are left alone', async () => {
    const targets = parseTargets(
      [
        `Other|Other|main|${folder}/debian.sources:1|file:/other/`,
        `Debian|Debian|contrib|${folder}/debian.sources:1|file:/contrib/`,
        `Debian|Debian|main|${folder}/debian.sources:2|file:/archive/`,
        `Debian|Debian-Security|main|${folder}/debian.sources:9|file:/security/`,
        '',
      ].join('\n'),
    );
    const common = 'Components: main\nArchitectures: amd64\n';
    expect(await sourcesOf('trixie', targets)).toBe(
      `Types: deb\nURIs: file:/archive/\nSuites: trixie trixie-updates trixie-backports\n${common}Signed-By: /keys/a.gpg\n\nTypes: deb\nURIs: file:/security/\nSuites: trixie-security\n${common}`,
    );
    expect(await sourcesOf('trixie', targets.slice(0, 1))).toBe('');
    expect(await sourcesOf('trixie', [])).toBe('');
  });
});

describe('shelvesFor', () => {
  test('what the name says first', () => {
    expect(shelvesFor('6.12.117+deb13-amd64').named).toEqual(['trixie']);
    expect(shelvesFor('7.2.13+deb14-amd64').named).toEqual(['forky', 'sid']);
    expect(shelvesFor('6.1.0-0.deb11.52-amd64').named).toEqual(['bullseye']);
    expect(shelvesFor('5.10.0-46-amd64')).toEqual({
      named: [],
      others: ['bullseye', 'bookworm', 'trixie', 'forky', 'sid'],
    });
  });
});
