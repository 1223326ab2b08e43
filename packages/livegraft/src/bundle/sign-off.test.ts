import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reportContent } from '../report/testing/content.ts';
import type { Bundle } from './bundle.ts';
import { changesSince, digestOf, readConsistent, readSeen, splitPatches } from './contents.ts';
import { addSignOff, readSignOffs, signOffsPath, statementOf } from './sign-off.ts';
import { bundleFolder, patches } from './testing/bundle-folder.ts';

let bundle: Bundle;
beforeEach(async () => {
  bundle = await bundleFolder();
});
afterEach(() => rmSync(bundle.path, { recursive: true, force: true }));

const by = 'Ada Reader <ada@example.org>';
const time = new Date('2026-11-24T12:00:00Z');
const put = (file: string, text: string): void => writeFileSync(join(bundle.path, file), text);
const sign = async (more: Partial<Parameters<typeof addSignOff>[0]> = {}) =>
  addSignOff({ bundle, seen: await readSeen(bundle), by, verdict: 'approved', time, ...more });

/** Of a trial of a module. */
const evidenceOf = (module: string) => ({ ...reportContent().evidence, bundles: { livegraft_fix: module } });

test('digestOf is the sha256 of what sha256sum says of the files, in the fixed order', async () => {
  put('evidence.json', JSON.stringify({ bundles: { livegraft_fix: bundle.manifest.module.sha256 } }));
  put('report.html', '<html>');
  put('notes.txt', 'not seen');
  const names = [
    'livegraft_fix.ko',
    'manifest.json',
    'review.json',
    'report.html',
    'patch.diff',
    'glue.c',
    'evidence.json',
  ];
  const seen = await readSeen(bundle);
  expect(seen.map(({ name }) => name)).toEqual(names);
  const said = execFileSync('sha256sum', names, { cwd: bundle.path });
  expect(digestOf(seen)).toBe(createHash('sha256').update(said).digest('hex'));
});

test('changesSince names the file that changed, came or went', async () => {
  const before = await readSeen(bundle);
  expect(changesSince(before, await readSeen(bundle))).toEqual([]);
  put('evidence.json', '{}');
  put('glue.c', 'other');
  rmSync(join(bundle.path, 'patch.diff'));
  expect(changesSince(before, await readSeen(bundle))).toEqual([
    'patch.diff is gone',
    'glue.c changed',
    'evidence.json was added',
  ]);
});

test('addSignOff appends: who, when, verdict, comment, the digest of all that was seen', async () => {
  await sign();
  const all = await sign({ by: 'Bob <bob@example.org>', verdict: 'rejected', comment: 'lock order' });
  expect(await readSignOffs(bundle)).toEqual(all);
  const digest = digestOf(await readSeen(bundle));
  expect(all).toMatchObject([
    { by, time: '2026-11-24T12:00:00.000Z', verdict: 'approved', digest },
    { by: 'Bob <bob@example.org>', verdict: 'rejected', comment: 'lock order', digest },
  ]);
  // the lock is the manifest’s, and leaves nothing behind in it
  expect(readdirSync(bundle.path).filter((name) => name.startsWith('.'))).toEqual([]);
  expect(digestOf(await readSeen(bundle))).toBe(digest);
});

test('addSignOff by many at once loses none', async () => {
  const people = Array.from({ length: 8 }, (_, i) => `P${i} <p${i}@example.org>`);
  await Promise.all(people.map((one) => sign({ by: one })));
  expect((await readSignOffs(bundle)).map((one) => one.by).sort()).toEqual(people);
});

test('addSignOff refuses what changed since it was shown', async () => {
  const seen = await readSeen(bundle);
  put('glue.c', 'other');
  await expect(sign({ seen })).rejects.toMatchObject({
    code: 'bundle-changed-meanwhile',
    message: expect.stringContaining('glue.c changed'),
  });
  expect(await readSignOffs(bundle)).toEqual([]);
});

test.each([
  ['review.json', (text: string) => text.replace(/[0-9a-f]{64}/, '00'.repeat(32)), 'review-unreadable'],
  ['patch.diff', (text: string) => `${text}+\n`, 'bundle-inconsistent'],
  ['patch.diff', () => `${patches[1]}${patches[0]}`, 'bundle-inconsistent'],
  ['evidence.json', () => JSON.stringify(evidenceOf('00')), 'bundle-inconsistent'],
  ['evidence.json', () => '{"bundles":{"livegraft_fix":"00"}}', 'bundle-inconsistent'],
  ['evidence.json', () => '{', 'bundle-inconsistent'],
])('readConsistent refuses a bundle whose %s is of something else', async (file, change, code) => {
  await readConsistent(bundle);
  const path = join(bundle.path, file);
  put(file, change(file === 'evidence.json' ? '' : readFileSync(path, 'utf8')));
  await expect(readConsistent(bundle)).rejects.toMatchObject({ code });
  await expect(sign()).rejects.toMatchObject({ code });
});

test('readConsistent has the review, each patch, the glue, and the evidence once there is some', async () => {
  const parts = await readConsistent(bundle);
  expect(parts).toMatchObject({ review: { name: 'livegraft_fix' }, glue: '/* glue */\n' });
  expect(parts.patches.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(patches);
  expect(parts).not.toHaveProperty('evidence');
  const evidence = evidenceOf(bundle.manifest.module.sha256);
  put('evidence.json', JSON.stringify(evidence));
  expect((await readConsistent(bundle)).evidence).toEqual(evidence);
});

test.each(['glue.c', 'patch.diff', 'review.json'])('readConsistent refuses a bundle without %s', async (file) => {
  rmSync(join(bundle.path, file));
  await expect(readConsistent(bundle)).rejects.toMatchObject({ message: expect.stringContaining(file) });
});

test.each([
  ['cut', (text: string) => text.slice(0, 40)],
  ['another schema', (text: string) => text.replace('"schema": 1', '"schema": 2')],
  ['another verdict', (text: string) => text.replace('approved', 'perhaps')],
  ['a hash of a file changed', (text: string) => text.replace(/("sha256": ")../, '$1zz').replace('zz', 'f0')],
  ['a person of two lines', (text: string) => text.replace('Ada Reader', String.raw`Ada\nverdict rejected`)],
  ['a comment that moves the cursor', (text: string) => text.replace('"fine"', String.raw`"\u001b[2Jfine"`)],
])('readSignOffs refuses a file that was changed: %s', async (_, change) => {
  await sign({ comment: 'fine' });
  const path = signOffsPath(bundle);
  writeFileSync(path, change(readFileSync(path, 'utf8')));
  await expect(readSignOffs(bundle)).rejects.toMatchObject({ code: 'sign-offs-unreadable', exit: 4 });
  // what is there is not written over
  await expect(sign()).rejects.toMatchObject({ code: 'sign-offs-unreadable' });
});

test('statementOf says all of it, one fact a line', async () => {
  const seen = await readSeen(bundle);
  const text = statementOf({ by, time: time.toISOString(), verdict: 'approved', comment: 'ok', files: seen });
  expect(text.split('\n').slice(0, 5)).toEqual([
    'livegraft sign-off 1',
    `by ${by}`,
    'time 2026-11-24T12:00:00.000Z',
    'verdict approved',
    'comment ok',
  ]);
  expect(text).toContain(`${bundle.manifest.module.sha256}  livegraft_fix.ko\n`);
});

test('splitPatches takes patch.diff apart where the manifest says, and not without it', () => {
  const whole = Buffer.from(patches.join(''));
  const { manifest } = bundle;
  expect(splitPatches(whole, manifest)?.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual([
    ['0.patch', patches[0]],
    ['1.patch', patches[1]],
  ]);
  const unsized = manifest.patches.map(({ name, sha256 }) => ({ name, sha256 }));
  expect(splitPatches(whole, { ...manifest, patches: unsized })).toBeUndefined();
  expect(splitPatches(Buffer.from(patches[0]), { ...manifest, patches: unsized.slice(0, 1) })).toHaveLength(1);
  expect(splitPatches(whole.subarray(0, -1), manifest)).toBeUndefined();
});
