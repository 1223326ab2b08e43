import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Bundle } from '../bundle/bundle.ts';
import { readSeen } from '../bundle/contents.ts';
import { addSignOff, type SignOff, signOffsPath } from '../bundle/sign-off.ts';
import { bundleFolder } from '../bundle/testing/bundle-folder.ts';
import { type FakeHost, fakeHost } from '../host/testing/fake-host.ts';
import { signText } from '../support/ssh-signature.ts';
import { judgeSignOffs, signOffRequired } from './signed.ts';

let host: FakeHost;
let bundle: Bundle;
beforeEach(async () => {
  host = fakeHost();
  bundle = await bundleFolder();
});
afterEach(() => {
  rmSync(bundle.path, { recursive: true, force: true });
});

const ada = 'Ada <ada@example.org>';
const bob = 'Bob <Bob@example.org>';
const sign = async (by: string, verdict: SignOff['verdict'], key?: string): Promise<unknown> =>
  addSignOff({
    bundle,
    seen: await readSeen(bundle),
    by,
    verdict,
    time: new Date(),
    ...(key === undefined ? {} : { sign: (text: string) => signText(key, text) }),
  });
const judge = async () => {
  const { by, problems } = await judgeSignOffs(bundle, host.roots, 'test');
  return [...by, ...problems.map(({ code }) => code)];
};
const change = (file: string): void => writeFileSync(join(bundle.path, file), '{}');

test('signOffRequired: by the flag, by the file of the machine, else not', () => {
  expect(signOffRequired(host.roots)).toBeUndefined();
  expect(signOffRequired(host.roots, true)).toBe('--require-sign-off');
  host.write({ 'etc/require-sign-off': '' });
  expect(signOffRequired(host.roots)).toMatch(/etc\/require-sign-off is there/);
});

test('judgeSignOffs: nobody, then somebody', async () => {
  expect(await judge()).toEqual(['sign-off-missing']);
  await sign(ada, 'approved');
  expect(await judge()).toEqual([ada]);
});

test('judgeSignOffs: an approval goes stale with any file, and says which', async () => {
  await sign(ada, 'approved');
  change('evidence.json');
  expect(await judge()).toEqual(['sign-off-stale']);
  const { problems } = await judgeSignOffs(bundle, host.roots, 'test');
  expect(problems[0]?.message).toContain('evidence.json was added since then');
  rmSync(join(bundle.path, 'evidence.json'));
  // a file that nobody was shown
  change('notes.json');
  expect(await judge()).toEqual([ada]);
});

test('judgeSignOffs: a rejection outweighs others’ approvals, and outlives changes beside the module', async () => {
  await sign(bob, 'rejected');
  await sign(ada, 'approved');
  expect(await judge()).toEqual([ada, 'sign-off-rejected']);
  rmSync(join(bundle.path, 'evidence.json'), { force: true });
  change('report.html');
  await sign(ada, 'approved');
  expect(await judge()).toEqual([ada, 'sign-off-rejected']);
  // known by the mail, whatever the case
  await sign('Robert <bob@example.org>', 'approved');
  expect(await judge()).toEqual(['Robert <bob@example.org>', ada]);
});

test('judgeSignOffs: whoever approves and then rejects has rejected', async () => {
  await sign(ada, 'approved');
  await sign(ada, 'rejected');
  expect(await judge()).toEqual(['sign-off-rejected']);
});

test('judgeSignOffs: a damaged file is no approval', async () => {
  await sign(ada, 'approved');
  const path = signOffsPath(bundle);
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, -10));
  expect(await judge()).toEqual(['sign-offs-unreadable']);
});

test('judgeSignOffs: the module in memory is what was approved, not the one that lies there now', async () => {
  await sign(ada, 'approved');
  bundle = { ...bundle, module: Buffer.from('another') };
  expect(await judge()).toEqual(['sign-off-stale']);
});

test('judgeSignOffs: with allowed_signers only an approval by their key counts', async () => {
  const keys = ['ada', 'eve'].map((name) => {
    const file = join(host.roots.run, name);
    host.write({ 'run/': '' });
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
    return file;
  });
  const [adas, eves] = keys as [string, string];
  const listed = readFileSync(`${adas}.pub`, 'utf8');
  host.write({ 'etc/allowed_signers': `ada@example.org namespaces="livegraft" ${listed}` });
  await sign(ada, 'approved');
  expect(await judge()).toEqual(['sign-off-unproved']);
  await sign(ada, 'approved', eves);
  expect(await judge()).toEqual(['sign-off-unproved', 'sign-off-unproved']);
  await sign(bob, 'approved', adas);
  expect(await judge()).toContain('sign-off-unproved');
  await sign(ada, 'approved', adas);
  expect(await judge()).toEqual([ada]);
  // the signature is of this record
  const path = signOffsPath(bundle);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replaceAll(/"time": "20/g, '"time": "19'));
  expect(await judge()).not.toContain(ada);
  // a rejection needs no proof: it keeps the module out
  writeFileSync(path, text);
  await sign(bob, 'rejected');
  expect(await judge()).toEqual([ada, 'sign-off-rejected']);
  await sign(bob, 'approved');
  expect(await judge()).toEqual([ada, 'sign-off-rejected']);
});
