import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { bootId, type FakeHost, fakeHost } from '../testing/fake-host.ts';
import { attemptsOf, strikesOf } from './attempts.ts';
import { formatEntry, type JournalEntry, parseJournal } from './entry.ts';
import { Journal, journalPath, type News, readJournal } from './journal.ts';
import { loggerCall } from './system-log.ts';

let host: FakeHost;

const writer = { pid: 4711, uid: 0, user: 'alice' };
const load: News = { attempt: 'a1', action: 'load', step: 'begin', name: 'livegraft_fix', moduleId: '22' };

function open(limit?: number): Journal {
  host = fakeHost();
  return new Journal({ roots: host.roots, writer, ...(limit === undefined ? {} : { limit }) });
}

function entry(changes: Partial<JournalEntry> = {}): JournalEntry {
  const fixed = { schema: 1, time: '2026-11-23T21:45:10.000Z', uptime: 1.5, bootId: 'b1', pid: 1, uid: 0 } as const;
  return { ...fixed, attempt: 'a', action: 'load', step: 'begin', name: 'n', moduleId: 'm', ...changes };
}

test('Journal writes what, when, where and who, one line an entry', async () => {
  const journal = open();
  const seen: string[] = [];
  const told = new Journal({
    roots: host.roots,
    writer,
    onSynced: ({ step }) => void seen.push(`${step} ${readJournal(host.roots).entries.length}`),
  });
  await told.append(load);
  await journal.append({ ...load, step: 'end', outcome: 'active', exit: 0 });
  expect(seen).toEqual(['begin 1']);
  const { entries, torn, damaged } = journal.read();
  expect({ torn, damaged }).toEqual({ torn: 0, damaged: [] });
  expect(entries).toMatchObject([
    { schema: 1, uptime: 34.8, bootId, kernel: { release: '6.1.0-55-amd64' }, ...load, ...writer },
    { step: 'end', outcome: 'active' },
  ]);
  expect(readFileSync(journalPath(host.roots), 'latin1').split('\n')).toHaveLength(3);
});

const texts = fc.string({ unit: 'grapheme' });
const anyEntry = fc
  .record({ attempt: texts, action: texts, step: texts, name: texts, pid: fc.nat(), codes: fc.array(texts) })
  .map((changes) => entry(changes));

test('parseJournal, cut at every byte: the entries before the cut, and how much is torn', () => {
  fc.assert(
    fc.property(fc.array(anyEntry, { minLength: 1, maxLength: 3 }), (entries) => {
      const lines = entries.map((each) => Buffer.from(formatEntry(each)));
      const whole = Buffer.concat(lines);
      for (let size = 0; size <= whole.length; size++) {
        let [count, ended] = [0, 0];
        while (count < lines.length && ended + lines[count]!.length <= size) ended += lines[count++]!.length;
        // a line that lacks its newline only is whole
        const unended = count < lines.length && size === ended + lines[count]!.length - 1;
        const read = parseJournal(whole.subarray(0, size));
        expect(read).toEqual({
          entries: entries.slice(0, unended ? count + 1 : count),
          torn: unended ? 0 : size - ended,
          unended,
          damaged: [],
        });
      }
    }),
    { numRuns: 20 },
  );
});

test('Journal repairs a file cut at any byte when it writes next, and loses nothing else', async () => {
  const journal = open();
  await journal.append(load);
  await journal.append({ ...load, step: 'inserted' });
  const whole = readFileSync(journal.path);
  const second = whole.indexOf('\n') + 1;
  for (let size = second; size <= whole.length; size++) {
    writeFileSync(journal.path, whole.subarray(0, size));
    await journal.append({ ...load, step: 'end' });
    const { entries, torn, damaged } = journal.read();
    expect({ torn, damaged }).toEqual({ torn: 0, damaged: [] });
    const kept = size >= whole.length - 1 ? ['begin', 'inserted', 'end'] : ['begin', 'end'];
    expect(entries.map(({ step }) => step)).toEqual(kept);
  }
});

test('parseJournal tells damage in the middle from a line cut off', () => {
  const line = formatEntry(entry());
  const bytes = Buffer.from(`${line}\0\0\0\0\n${line}{"schema":2}\n${line}\0\0\0`);
  expect(parseJournal(bytes)).toMatchObject({
    entries: [{ step: 'begin' }, { step: 'begin' }, { step: 'begin' }],
    torn: 3,
    damaged: [
      { line: 2, problem: 'no JSON' },
      { line: 4, problem: expect.stringContaining('schema') },
    ],
  });
});

test('Journal begins a new file without what is over, and keeps open attempts and strikes', async () => {
  const journal = open(2000);
  const down = { ...load, attempt: 'struck', step: 'down', moduleId: '33' } as const;
  await journal.append({ ...down, step: 'begin' });
  await journal.append(down);
  await journal.append({ ...load, attempt: 'open' });
  for (let n = 0; n < 20; n++) {
    await journal.append({ ...load, attempt: `over${n}` });
    await journal.append({ ...load, attempt: `over${n}`, step: 'end', outcome: 'reverted' });
    expect(statSync(journal.path).size).toBeLessThan(2500);
  }
  const { entries } = journal.read();
  const states = Object.fromEntries(attemptsOf(entries).map(({ id, state }) => [id, state]));
  expect(states).toMatchObject({ struck: 'down', open: 'open', over19: 'over' });
  expect(states).not.toHaveProperty('over0');
  expect([...strikesOf(entries, bootId).keys()]).toEqual(['33']);
  expect(readdirSync(host.roots.state).sort()).toEqual(['journal.1.ndjson', 'journal.ndjson']);
});

test('Journal leaves the file as it was when it cannot write', async () => {
  const journal = open();
  host.write({ 'state/journal.ndjson/': '' });
  await expect(journal.append(load)).rejects.toMatchObject({ code: 'EISDIR' });
  expect(existsSync(join(host.roots.state, 'journal.1.ndjson'))).toBe(false);
});

test('strikesOf counts boots, not attempts, and only since the last lift', () => {
  const of = (...entries: JournalEntry[]): number => strikesOf(entries, 'now').get('m')?.length ?? 0;
  const killed = entry({ bootId: 'now' });
  expect(of(killed)).toBe(0);
  const open = entry();
  expect(of(open)).toBe(1);
  const sameBoot = entry({ attempt: 'b', action: 'revert' });
  expect(of(open, sameBoot)).toBe(1);
  const later = entry({ attempt: 'c', bootId: 'b2' });
  expect(of(open, sameBoot, later)).toBe(2);
  const lift = entry({ attempt: 'd', action: 'lift', step: 'end', bootId: 'b3' });
  expect(of(open, later, lift)).toBe(0);
  expect(of(open, lift, later)).toBe(1);
  const ended = entry({ step: 'end', outcome: 'active' });
  expect(of(open, ended)).toBe(0);
  // at boot it must settle
  expect(of(open, { ...ended, pending: true })).toBe(1);
  expect(of(open, { ...ended, pending: true }, entry({ step: 'settled' }))).toBe(0);
  expect(of(open, entry({ step: 'down', bootId: 'now' }))).toBe(1);
});

test('attemptsOf: what was taken back since has nothing left to settle', () => {
  const states = (...entries: JournalEntry[]): string[] => attemptsOf(entries).map(({ state }) => state);
  const loaded = [entry(), entry({ step: 'end', outcome: 'active', pending: true })];
  const left = [entry(), entry({ step: 'end', outcome: 'started' })];
  const reverted = [
    entry({ attempt: 'r', action: 'revert' }),
    entry({ attempt: 'r', action: 'revert', step: 'end', outcome: 'reverted' }),
  ];
  expect(states(...loaded)).toEqual(['unsettled']);
  expect(states(...left)).toEqual(['left']);
  expect(states(...loaded, ...reverted)).toEqual(['over', 'over']);
  expect(states(...left, ...reverted)).toEqual(['over', 'over']);
});

test('loggerCall: fields for journald, structured data for others, nothing where nobody listens', () => {
  const end = entry({ step: 'end', outcome: 'reverted', exit: 6, user: 'a"]\n', codes: ['transition-stalled'] });
  expect(loggerCall(end, true, true)).toEqual({
    args: ['--journald'],
    input: `${[
      'MESSAGE=load n: reverted (exit code 6)',
      'PRIORITY=4',
      'SYSLOG_IDENTIFIER=livegraft',
      'LIVEGRAFT_ATTEMPT=a',
      'LIVEGRAFT_ACTION=load',
      'LIVEGRAFT_STEP=end',
      'LIVEGRAFT_NAME=n',
      'LIVEGRAFT_MODULE=m',
      'LIVEGRAFT_OUTCOME=reverted',
      'LIVEGRAFT_EXIT=6',
      'LIVEGRAFT_CODES=transition-stalled',
      'LIVEGRAFT_UID=0',
      'LIVEGRAFT_USER=a"] ',
    ].join('\n')}\n`,
  });
  const syslog = loggerCall(end, false, true)!;
  expect(syslog.args).toContain('user="a\\"\\] "');
  expect(syslog.args).toContain('daemon.warning');
  expect(loggerCall(end, false, false)).toBeUndefined();
});
