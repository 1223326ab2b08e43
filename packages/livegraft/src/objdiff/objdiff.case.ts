/**
 * Each folder of test/cases is one way in which a source change becomes a change of objects: orig.c and patched.c, compiled
 * by the real compiler, give the verdicts and findings of expect.json (`why`: what the case stands for).
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfFile } from '@livegraft/binfmt/elf/types';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diffObjects, type Verdict } from './diff.ts';
import { cases, compileCase } from './testing/compile.ts';

interface Expectation {
  readonly why: string;
  readonly changed: readonly string[];
  readonly new: readonly string[];
  readonly removed: readonly string[];
  /** Codes of all findings, errors and others. */
  readonly findings: readonly string[];
  /** For the compiler, beside the kernel's. */
  readonly flags?: readonly string[];
  /** The patched source has no #line marks: moved line numbers are no change. */
  readonly unmarked?: true;
}

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'objdiff-case-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function compile(name: string, side: 'orig' | 'patched'): Promise<ElfFile> {
  return readElf(await readFile(await compileCase(dir, name, side)));
}

describe('objects of source changes', async () => {
  for (const name of (await readdir(cases)).sort()) {
    const expected: Expectation = JSON.parse(await readFile(join(cases, name, 'expect.json'), 'utf8'));
    test(`${name}: ${expected.why}`, async () => {
      const [before, after] = await Promise.all([compile(name, 'orig'), compile(name, 'patched')]);
      const options = { marked: expected.unmarked === undefined };
      const diff = diffObjects(name, before, after, options);
      const of = (verdict: Verdict): string[] =>
        diff.functions
          .filter((f) => f.verdict === verdict)
          .map((f) => f.name)
          .sort();
      const findings = diff.findings.map((finding) => finding.code).sort();
      const { why: _, flags: __, unmarked: ___, ...wanted } = expected;
      expect({ changed: of('changed'), new: of('new'), removed: of('removed'), findings }).toEqual(wanted);
      // and the other way round nothing crashes; the same object has no changes
      diffObjects(name, after, before, options);
      expect(diffObjects(name, after, after, options).functions.filter((f) => f.verdict !== 'unchanged')).toEqual([]);
    });
  }
});
