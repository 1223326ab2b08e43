/** Sentences and disassembly for objects that the real compiler made of test/cases; objdump agrees on every instruction. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readElf } from '@livegraft/binfmt/elf/read';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cutObject } from './atoms.ts';
import { diffObjects } from './diff.ts';
import { instructionsOf } from './explain/listing.ts';
import { type ExplainedFunction, explainFunctions } from './explain.ts';
import { compileCase } from './testing/compile.ts';

const run = promisify(execFile);

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'explain-case-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function explain(name: string): Promise<readonly ExplainedFunction[]> {
  const [before, after] = await Promise.all([compileCase(dir, name, 'orig'), compileCase(dir, name, 'patched')]);
  const [original, patched] = await Promise.all([before, after].map((path) => readFile(path).then((b) => readElf(b))));
  return explainFunctions(diffObjects(name, original!, patched!));
}

describe('why, from the objects alone', () => {
  test.each<[string, string, string, string]>([
    ['string-literal', 'f', 'changed', 'refers to "behind" instead of "before"'],
    ['const-table', 'g', 'changed', 'refers to the changed constant table'],
    ['notrace-static', 'f', 'changed', 'uses helper(), out of reach for ftrace, which changed'],
    ['notrace-static', 'helper', 'new', 'changed, and ftrace cannot reach it: its callers are replaced'],
    ['constprop-renumbered', 'f1', 'changed', 'refers to another h.constprop.0 than before'],
    ['percpu-new', 'f', 'changed', 'refers to fresh instead of old'],
    ['bug-table', 'f', 'changed', 'has another entry in __bug_table'],
    ['new-function', 'f', 'new', 'used by g()'],
    ['removed-function', 'f', 'removed', 'not in the patched object'],
    ['init-function', 'start', 'cannot', 'its code differs from +0x5 on'],
    ['cold-changed', 'f', 'changed', 'its code differs from f.cold+0xd on'],
  ])('%s: %s', async (name, function_, verdict, why) => {
    const found = (await explain(name)).find((f) => f.name === function_);
    expect({ verdict: found?.verdict, why: found?.why }).toEqual({ verdict, why });
  });
});

test('the first difference is disassembled on both sides', async () => {
  const [big] = (await explain('part-clone')).filter((f) => f.name === 'big');
  expect(big!.first!.original.filter((each) => each.differs).map((each) => each.text)).toContain('mov    $0x7,%edi');
  expect(big!.first!.patched.filter((each) => each.differs).map((each) => each.text)).toContain('mov    $0x8,%edi');
});

test('what differs beside the code is shown', async () => {
  const [f] = await explain('const-ops');
  expect(f!.first!.beside).toEqual({ name: 'ops+0x0', original: 'open', patched: 'close' });
});

test('every instruction begins where objdump has one', async () => {
  const object = await compileCase(dir, 'jump-table', 'orig');
  const unit = cutObject(readElf(await readFile(object)));
  const { stdout } = await run('objdump', ['-d', '--no-show-raw-insn', '-w', object]);
  for (const atom of unit.atoms.filter((each) => each.kind === 'function')) {
    const part = stdout.slice(stdout.indexOf(`<${atom.name}>:`)).split('\n\n')[0]!;
    const theirs = [...part.matchAll(/^\s+([0-9a-f]+):\t/gm)].map(([, offset]) => Number.parseInt(offset!, 16));
    expect(instructionsOf(unit, atom).map((each) => each.offset)).toEqual(theirs);
  }
});
