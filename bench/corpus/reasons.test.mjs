/** Outcomes, the figure that is made of them, and the order of a sample. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { everyTool, outcomeOf, score } from './reasons.mjs';
import { bundleName, sample } from './sample.mjs';

test('every reason that holds for every tool is a refusal of livegraft', () => {
  const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const refusals = [...page.matchAll(/^### ([a-z0-9-]+)\n\nerror, exit code 4$/gm)].map(([, code]) => code);
  expect(refusals.length).toBeGreaterThan(40);
  expect(Object.keys(everyTool).filter((code) => !refusals.includes(code))).toEqual([]);
});

test('outcomeOf tells a compiler error from a refusal, and anything unforeseen is a failure', () => {
  expect(outcomeOf(0, [])).toBe('built');
  expect(outcomeOf(3, ['nothing-to-replace'])).toBe('unchanged');
  expect(outcomeOf(4, ['does-not-compile'])).toBe('does-not-compile');
  expect(outcomeOf(4, ['data-changed'])).toBe('refused');
  expect(outcomeOf(5, ['code-differs'])).toBe('provenance');
  expect(outcomeOf(1, ['internal-error'])).toBe('failed');
  expect(outcomeOf(75, ['busy'])).toBe('failed');
  expect(outcomeOf(null, [])).toBe('failed');
});

test('score leaves out what no tool builds', () => {
  const records = [
    { outcome: 'built', codes: [] },
    { outcome: 'built', codes: [] },
    { outcome: 'unchanged', codes: ['nothing-to-replace'] },
    { outcome: 'does-not-compile', codes: ['does-not-compile'] },
    { outcome: 'refused', codes: ['doubtful-reference', 'data-changed'] },
    { outcome: 'refused', codes: ['doubtful-reference'] },
  ];
  expect(score(records)).toMatchObject({ built: 2, lacking: 1, everyTool: 1, buildable: 3, percent: 66.7 });
});

test('a smaller sample is the beginning of a larger one; another seed gives another', () => {
  const folder = mkdtempSync(join(tmpdir(), 'livegraft-corpus-'));
  try {
    for (let i = 0; i < 40; i++) writeFileSync(join(folder, `fs_file-${i}.patch`), `${i}`);
    const names = (count, seed) => sample(folder, { count, seed }).map((each) => each.name);
    expect(names(40, '1').slice(0, 10)).toEqual(names(10, '1'));
    expect(names(10, '2')).not.toEqual(names(10, '1'));
    expect(names(99, '1').toSorted()).toHaveLength(40);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('bundleName makes module names of at most 55 characters that differ where only the cut-off part does', () => {
  const long = 'drivers_infiniband_ulp_rtrs_with-a-very-long-name_of_a_unit';
  expect(bundleName(long)).toMatch(/^[a-z0-9_]{1,55}$/);
  expect(bundleName(`x${long}`)).not.toBe(bundleName(long));
});
