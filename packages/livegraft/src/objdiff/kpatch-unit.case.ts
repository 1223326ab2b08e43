/** kpatch's 55 object pairs, each a bug that bit somebody: the differ comes to an end with every one, and agrees on those named here. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readElf } from '@livegraft/binfmt/elf/read';
import { describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { diffObjects } from './diff.ts';

const folder = fileURLToPath(new URL('../../../../../shared/kpatch-unit/', import.meta.url));

interface Answer {
  readonly verdict: 'patchable' | 'refused' | 'unchanged';
  readonly functions: readonly string[];
  readonly codes: readonly string[];
}

function answer(name: string): Answer {
  const files = readdirSync(`${folder}x86_64`);
  const patched = files.find((file) => file.startsWith(`${name}.PATCHED.`))!;
  const read = (file: string) => readElf(readFileSync(`${folder}x86_64/${file}`));
  try {
    const diff = diffObjects(name, read(`${name}.ORIG.o`), read(patched));
    const functions = diff.functions.filter((f) => f.verdict === 'changed').map((f) => f.original!.name);
    const codes = diff.findings.filter((finding) => finding.severity === 'error').map((finding) => finding.code);
    const verdict = codes.length > 0 ? 'refused' : functions.length > 0 ? 'patchable' : 'unchanged';
    return { verdict, functions: functions.sort(), codes: [...new Set(codes)] };
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    return { verdict: 'refused', functions: [], codes: [error.code] };
  }
}

/**
 * Where the answer is kpatch's. The others differ by line numbers, which count as changes here; the list may only grow.
 */
const agreed: readonly string[] = [
  'clang-unnamed',
  'cold-add',
  'cold-add2',
  'cold-change-parent',
  'cold-change-sub',
  'cold-del-sub',
  'cold-noid-issue-1160',
  'data-new',
  'function-ptr-new',
  'gcc-static-local-var-3',
  'import-ns',
  'jump-label-issue-1021',
  'mcount_loc-issue-1102',
  'meminfo-init',
  'meminfo-init2',
  'meminfo-string',
  'missing-secsym-issue-1272',
  'mrecord-mcount',
  'multifile-pr-1204',
  'plt32-relocations-issue-975',
  'smp-locks-section',
  'static-call-pr-1315',
  'this_ip',
  'unique-id-pr-1314',
  'zero-page-rela-issue-1064',
];

describe.skipIf(!existsSync(folder))('the object pairs of kpatch (skipped where ../shared is absent)', () => {
  const expected: Record<string, { verdict: string; patchedFunctions?: readonly { name: string }[] }> = existsSync(
    folder,
  )
    ? JSON.parse(readFileSync(`${folder}expected.json`, 'utf8'))
    : {};
  test.each(Object.keys(expected))('%s', (name) => {
    const { verdict, functions, codes } = answer(name);
    const { patchedFunctions, ...wanted } = expected[name]!;
    const names = (patchedFunctions ?? []).map((each) => each.name).sort();
    const equal = verdict === wanted.verdict && (verdict === 'refused' || names.join() === functions.join());
    if (agreed.includes(name)) expect(equal, `${verdict} ${functions.join()} ${codes.join()}`).toBe(true);
  });
});
