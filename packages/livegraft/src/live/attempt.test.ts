import { beforeEach, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { kernelRefused } from '../diagnostics/host.ts';
import { attemptsOf } from '../host/journal/attempts.ts';
import { Journal } from '../host/journal/journal.ts';
import { type FakeHost, fakeHost, livepatchFiles, moduleLine } from '../host/testing/fake-host.ts';
import { silent } from '../support/progress.ts';
import { attempt } from './attempt.ts';
import { type Booted, bootAll } from './boot.ts';
import { bundleId, testBundle } from './testing/bundle.ts';

let host: FakeHost;
let journal: Journal;
beforeEach(() => {
  host = fakeHost();
  journal = new Journal({ roots: host.roots, writer: { pid: process.pid, uid: 0 } });
});

const load = { action: 'load', name: 'livegraft_fix', moduleId: bundleId } as const;
const done = { outcome: 'active', problems: [] } as const;

test('attempt writes the beginning down before the work, each step, and the end', async () => {
  const seen: string[] = [];
  await attempt(journal, load, async (mark) => {
    seen.push(...journal.read().entries.map(({ step }) => step));
    await mark('inserted');
    return done;
  });
  expect(seen).toEqual(['begin']);
  expect(journal.read().entries.map(({ step }) => step)).toEqual(['begin', 'inserted', 'end']);
  expect(attemptsOf(journal.read().entries)).toMatchObject([{ state: 'over', outcome: 'active', exit: 0 }]);
  await attempt(journal, { ...load, settlesLater: true }, () => Promise.resolve(done));
  expect(attemptsOf(journal.read().entries).at(-1)).toMatchObject({ state: 'unsettled' });
});

test('attempt ends with what was thrown', async () => {
  const refused = kernelRefused({ name: 'livegraft_fix', said: 'no', why: '', log: [], next: '' });
  await expect(attempt(journal, load, () => Promise.reject(new LivegraftError(refused)))).rejects.toThrow('no');
  const end = { state: 'over', outcome: 'failed', exit: 7, codes: ['kernel-refused'] };
  expect(attemptsOf(journal.read().entries)).toMatchObject([end]);
});

test('attempt begins no load that cannot be written down; what takes something back goes on, and says so', async () => {
  host.write({ state: 'a file where the folder should be' });
  let begun = 0;
  const work = () => {
    begun++;
    return Promise.resolve(done);
  };
  await expect(attempt(journal, load, work)).rejects.toMatchObject({ code: 'journal-unwritable', exit: 1 });
  expect(begun).toBe(0);
  const { troubles } = await attempt(journal, { ...load, action: 'revert' }, work);
  expect(begun).toBe(1);
  expect(troubles.map(({ code, severity }) => `${severity} ${code}`)).toEqual(['warning journal-silent']);
});

test('bootAll leaves out what is loaded, superseded or quarantined, and goes on with the next', async () => {
  const { roots } = host;
  const named = (name: string, replace = false) => {
    const module = { ...testBundle().manifest.module, buildId: Buffer.from(name).toString('hex').padEnd(40, '0') };
    return testBundle({ name, module, replace, targets: [], functions: [] });
  };
  // one that replaces all and is quarantined replaces nothing
  const [before, all, bad, there] = [named('before'), named('all', true), named('bad', true), named('there')];
  host.write({
    ...livepatchFiles('there', ['vmlinux/f,1'], { id: there.manifest.module.buildId }),
    ...livepatchFiles('all', ['vmlinux/g,1'], { id: 'other' }),
    'proc/modules': moduleLine('there') + moduleLine('all'),
  });
  for (const [attemptId, bootId] of [
    ['a', 'first'],
    ['b', 'second'],
  ]) {
    host.write({ 'proc/sys/kernel/random/boot_id': `${bootId}\n` });
    const about = { action: 'load', name: 'bad', moduleId: bad.manifest.module.buildId } as const;
    await new Journal({ roots, writer: journal.writer }).append({ ...about, attempt: attemptId!, step: 'begin' });
  }
  const told: Booted[] = [];
  const enabled = [before, all, bad, there].map((bundle, n) => ({ bundle, sequence: n + 1, time: '' }));
  const booted = await bootAll({
    roots,
    journal,
    enabled,
    timeout: 1,
    progress: silent,
    signal: new AbortController().signal,
    settlesLater: true,
    onBooted: (one) => void told.push(one),
  });
  expect(told).toEqual(booted);
  expect(booted.map(({ name, outcome, by, problems }) => [name, outcome, by ?? problems[0]?.code])).toEqual([
    ['before', 'superseded', 'all'],
    ['all', 'refused', 'module-name-taken'],
    ['bad', 'refused', 'quarantined'],
    ['there', 'loaded-before', undefined],
  ]);
  expect(journal.read().entries).toHaveLength(2);
});
