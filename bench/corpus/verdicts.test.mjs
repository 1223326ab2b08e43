/** Evidence of one guest, read for each of its bundles. */
import { expect, test } from 'vitest';
import { judge } from './verdicts.mjs';

const record = (bundle, ...objects) => ({ patch: bundle, bundle, objects });
const [a, b, c] = [record('a', 'ext4'), record('b', 'vmlinux'), record('c', 'xfs')];

/** A step a word: `load a`, `rmmod ext4 failed`; those that may fail are rmmod's. */
function guest(verdict, words, findings = []) {
  const steps = words.map((word, index) => {
    const [kind, subject, outcome = 'passed'] = word.split(' ');
    const need = kind === 'rmmod' ? 'may' : 'must';
    return { number: index + 1, kind, subject, need, outcome, at: 10 + index, seconds: 1, output: '' };
  });
  const evidence = { verdict, why: 'why', steps, findings, times: { total: 20 } };
  return { exit: verdict === 'passed' ? 0 : 1, stderr: '', document: { result: evidence, diagnostics: [] } };
}

const life = (bundle, ...targets) => [
  `load ${bundle}`,
  ...targets.flatMap((target) => [`rmmod ${target}`, `modprobe ${target}`]),
  `revert ${bundle}`,
  `unload ${bundle}`,
];
const names = ({ decided, again }) => ({
  decided: decided.map(([{ bundle }, load]) => [bundle, load.verdict, load.reload]),
  again: again.map(({ records, later, first }) => [
    records.map(({ bundle }) => bundle).join(' '),
    ...(later ? ['later'] : []),
    ...(first ? [first.verdict] : []),
  ]),
});

test('all bundles of a quiet guest passed', () => {
  const words = ['modprobe ext4', 'modprobe xfs', ...life('a', 'ext4'), ...life('b'), ...life('c', 'xfs')];
  expect(names(judge({ records: [a, b, c] }, guest('passed', words)))).toEqual({
    decided: [
      ['a', 'passed', 'reloaded'],
      ['b', 'passed', 'built in'],
      ['c', 'passed', 'reloaded'],
    ],
    again: [],
  });
});

test('a bundle that brings the guest down is tried alone, those behind it without it', () => {
  const words = ['modprobe ext4', 'modprobe xfs', ...life('a', 'ext4'), 'load b unfinished', 'revert b unreached'];
  const rest = ['unload b unreached', ...life('c', 'xfs').map((word) => `${word} unreached`)];
  expect(names(judge({ records: [a, b, c] }, guest('panicked', [...words, ...rest])))).toEqual({
    decided: [['a', 'passed', 'reloaded']],
    again: [['b', 'panicked'], ['c']],
  });
});

test('a guest that dies of its only bundle decides', () => {
  const words = ['load b unfinished', 'revert b unreached', 'unload b unreached'];
  const { decided, again } = judge(
    { records: [b], first: { verdict: 'panicked', why: 'x' } },
    guest('panicked', words),
  );
  expect(decided).toMatchObject([[b, { verdict: 'panicked', amongOthers: { verdict: 'panicked' } }]]);
  expect(again).toEqual([]);
});

test('a warning of the kernel is its bundle’s, also between two steps', () => {
  const words = ['modprobe ext4', ...life('a', 'ext4'), ...life('b')];
  const warning = { kind: 'warning', severity: 'bad', title: 'WARNING at x', lines: ['WARNING'] };
  const among = (finding) => names(judge({ records: [a, b] }, guest('failed', words, [{ ...warning, ...finding }])));
  expect(among({ step: 2 }).again).toEqual([['a', 'failed']]);
  expect(among({ time: 14.5 }).again).toEqual([['a', 'failed']]);
  expect(among({ step: 8 }).again).toEqual([['b', 'failed']]);
  expect(among({ step: 1 }).again).toEqual([]);
  expect(among({ step: 2, severity: 'note' }).again).toEqual([]);
});

test('a target that the kernel as shipped does not load: the others without it, the livepatch alone', () => {
  const words = ['modprobe ext4', 'modprobe xfs failed', ...life('a', 'ext4').map((word) => `${word} skipped`)];
  const rest = life('c', 'xfs').map((word) => `${word} skipped`);
  expect(names(judge({ records: [a, c] }, guest('failed', [...words, ...rest])))).toEqual({
    decided: [],
    again: [['a'], ['c', 'later']],
  });
  const alone = ['load c', 'modprobe xfs failed', 'rmmod xfs skipped', 'modprobe xfs skipped', 'revert c', 'unload c'];
  expect(names(judge({ records: [c], later: true }, guest('failed', alone)))).toEqual({
    decided: [['c', 'passed', 'not loadable']],
    again: [],
  });
});

test('a target that does not come back while it is patched has failed', () => {
  const words = ['modprobe ext4', 'load a', 'rmmod ext4', 'modprobe ext4 failed', 'revert a', 'unload a'];
  expect(names(judge({ records: [a] }, guest('failed', words))).decided).toEqual([['a', 'failed', 'not reached']]);
});

test('a target that others hold is tried once more alone', () => {
  const words = ['modprobe ext4', 'load a', 'rmmod ext4 failed', 'modprobe ext4', 'revert a', 'unload a', ...life('b')];
  expect(names(judge({ records: [a, b] }, guest('passed', words)))).toEqual({
    decided: [['b', 'passed', 'built in']],
    again: [['a']],
  });
});

test('livegraft without evidence: each alone, then that is the result', () => {
  const crash = { exit: 1, stderr: 'words', document: undefined };
  expect(names(judge({ records: [a, b] }, crash))).toEqual({ decided: [], again: [['a'], ['b']] });
  expect(judge({ records: [a] }, crash).decided).toMatchObject([
    [a, { verdict: 'no evidence', complaints: ['words'] }],
  ]);
});
