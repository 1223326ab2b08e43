/**
 * kpatch's 55 object pairs, each a bug that bit somebody: livegraft answers as kpatch's own suite expects, functions and
 * positions, or differs on purpose for a reason that stands here.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readElf } from '@livegraft/binfmt/elf/read';
import { describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { diffObjects } from './diff.ts';
import { explainFunctions } from './explain.ts';

const folder = fileURLToPath(new URL('../../../../../shared/kpatch-unit/', import.meta.url));

interface Answer {
  readonly verdict: 'patchable' | 'refused' | 'unchanged';
  /** The functions to redirect, `NAME,POSITION`; none where the pair is refused. */
  readonly functions: readonly string[];
  /** Why it is refused. */
  readonly codes: readonly string[];
}

/** The objects were compiled without #line marks. */
function answer(name: string): Answer {
  const patched = readdirSync(`${folder}x86_64`).find((file) => file.startsWith(`${name}.PATCHED.`))!;
  const read = (file: string) => readElf(readFileSync(`${folder}x86_64/${file}`));
  try {
    const diff = diffObjects(name, read(`${name}.ORIG.o`), read(patched), { marked: false });
    const codes = new Set(diff.findings.filter(({ severity }) => severity === 'error').map(({ code }) => code));
    const changed = explainFunctions(diff).filter((f) => f.verdict === 'changed');
    const verdict = codes.size > 0 ? 'refused' : changed.length > 0 ? 'patchable' : 'unchanged';
    const functions = verdict === 'refused' ? [] : changed.map((f) => `${f.name},${f.sympos}`);
    return { verdict, functions: functions.sort(), codes: [...codes] };
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    return { verdict: 'refused', functions: [], codes: [error.code] };
  }
}

/** Where the answer is another one than kpatch's, and why. */
const deliberate: Readonly<Record<string, Answer & { readonly why: string }>> = {
  altinstr_aux: {
    verdict: 'unchanged',
    functions: [],
    codes: [],
    why: 'the patch only adds a function that nothing calls: no running code would change',
  },
  'clang-lstr': {
    verdict: 'refused',
    functions: [],
    codes: ['registry-changed'],
    why: "it only adds callbacks by kpatch's own macros, in sections that nobody but kpatch reads",
  },
  'data-read-mostly': {
    verdict: 'patchable',
    functions: ['__netif_receive_skb_core,1', 'dev_queue_xmit_nit,0'],
    codes: [],
    why: "the jump table of the patched object was edited by hand: the replaced function's entries name dev_queue_xmit_nit, which so has other entries than before",
  },
  'ignore-missing-ftracehook-issue-1091': {
    verdict: 'refused',
    functions: [],
    codes: ['registry-changed'],
    why: 'KPATCH_IGNORE_FUNCTION tells kpatch to overlook a changed function; livegraft overlooks none',
  },
  'oot-issue-928.NOSTRIP': {
    verdict: 'refused',
    functions: [],
    codes: ['init-changed', 'registry-changed'],
    why: 'KPATCH_IGNORE_SECTION tells kpatch to overlook changed init code; livegraft overlooks none',
  },
};

interface Expected {
  readonly verdict: Answer['verdict'];
  readonly patchedFunctions?: readonly { readonly name: string; readonly sympos: number }[];
}

describe.skipIf(!existsSync(folder))('the object pairs of kpatch (skipped where ../shared is absent)', () => {
  const pairs: Readonly<Record<string, Expected>> = existsSync(folder)
    ? JSON.parse(readFileSync(`${folder}expected.json`, 'utf8'))
    : {};
  test.each(Object.keys(pairs))('%s', (name) => {
    const found = answer(name);
    const own = deliberate[name];
    if (own !== undefined) {
      const { why: _, ...wanted } = own;
      expect(found).toEqual(wanted);
      return;
    }
    const { verdict, patchedFunctions = [] } = pairs[name]!;
    expect(found.verdict, found.codes.join()).toBe(verdict);
    if (verdict === 'refused') expect(found.codes).not.toEqual([]);
    const wanted = patchedFunctions.map((each) => `${each.name},${each.sympos}`);
    expect(found.functions).toEqual(wanted.sort());
  });
});
