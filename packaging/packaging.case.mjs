// The package as dpkg-deb makes it: the same bytes twice, the files it must have, and a program that runs from it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileProgram } from '../packages/livegraft/src/testing/program.ts';
import { buildDeb, packageVersion } from './deb.mjs';

const dir = mkdtempSync(join(tmpdir(), 'livegraft-packaging-'));
const tree = join(dir, 'tree');
let made;
beforeAll(async () => {
  await compileProgram();
  made = await buildDeb({ out: join(dir, 'first'), fast: true });
  execFileSync('dpkg-deb', ['-R', made.path, tree]);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('buildDeb: the same sources, the same bytes', async () => {
  const again = await buildDeb({ out: join(dir, 'second'), fast: true });
  expect(readFileSync(made.path).equals(readFileSync(again.path))).toBe(true);
});

test('buildDeb: files belong to root, programs can be run, nothing of tests', () => {
  const lines = execFileSync('dpkg-deb', ['-c', made.path], { encoding: 'utf8' }).trim().split('\n');
  expect(lines.filter((line) => !/^[d-]rw[x-]r-[x-]r-[x-] root\/root /.test(line))).toEqual([]);
  const programs = lines.filter((line) => /^-rwx/.test(line)).map((line) => line.split(/\s+/).at(-1));
  expect(programs).toEqual(['./usr/bin/livegraft', './usr/lib/livegraft/node']);
  expect(
    lines.filter((line) =>
      /\.(?:test|case|vm)\.js|\/testing\/|\.d\.ts|node_modules\/(?:vitest|typescript)\//.test(line),
    ),
  ).toEqual([]);
});

test('the packaged Node runs the packaged livegraft', () => {
  const program = join(tree, 'usr/lib/livegraft/node_modules/livegraft/bin/livegraft.js');
  const said = execFileSync(join(tree, 'usr/lib/livegraft/node'), [program, '--version'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  expect(said.trim()).toBe(packageVersion());
});

test('copyright: a licence for everything that is packed', () => {
  const text = readFileSync(join(tree, 'usr/share/doc/livegraft/copyright'), 'utf8');
  for (const word of ['Node.js', 'iced-x86', 'execa', '@stricli/core', 'valibot', 'GPL-2'])
    expect(text).toContain(word);
});

test('maintainer scripts: no placeholder is left, and sh reads them', () => {
  for (const name of ['postinst', 'prerm', 'postrm']) {
    const path = join(tree, 'DEBIAN', name);
    expect(readFileSync(path, 'utf8')).not.toMatch(/@[A-Z]+@/);
    execFileSync('sh', ['-n', path]);
  }
});
