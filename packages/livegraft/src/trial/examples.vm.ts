/** Every example of examples/: built, tried in its kernel, and taken back, or refused for the reason it says. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../build/build.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { silent } from '../support/progress.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { type Script, tryBundles } from './try.ts';

const root = fileURLToPath(new URL('../../../../examples', import.meta.url));
const names = readdirSync(root, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));

/** `expect.json` of an example. */
const expectation = v.variant('outcome', [
  v.strictObject({
    outcome: v.literal('built'),
    /** What the manifest must say of each replaced function, at least; all of them, in order. */
    functions: v.array(v.record(v.string(), v.union([v.string(), v.number()]))),
    added: v.optional(v.array(v.string()), []),
    /** Target modules are loaded after the livepatch. */
    targetsLater: v.optional(v.boolean(), false),
  }),
  v.strictObject({ outcome: v.literal('refused'), exit: v.number(), codes: v.array(v.string()) }),
]);

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'livegraft-examples-'));
});
afterAll(() => rm(out, { recursive: true, force: true }));

function script(example: string, name: string): Script | undefined {
  const path = join(root, example, name);
  return existsSync(path) ? { name, text: readFileSync(path, 'utf8') } : undefined;
}

describe('examples', () => {
  test.each(names)('%s', async (name) => {
    const kernel = await testKernel();
    const patch = join(root, name, 'example.patch');
    const expected = v.parse(expectation, JSON.parse(readFileSync(join(root, name, 'expect.json'), 'utf8')));
    const building = build({
      patches: [{ name: patch, bytes: readFileSync(patch) }],
      kernel,
      out,
      name: `livegraft_${name.replaceAll('-', '_')}`,
      replace: false,
      progress: silent,
    });
    if (expected.outcome === 'refused') {
      const error = await building.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LivegraftError);
      const { exit, diagnostics } = error as LivegraftError;
      expect({ exit, codes: diagnostics.map((each) => each.code) }).toEqual({
        exit: expected.exit,
        codes: expected.codes,
      });
      expect(existsSync(join(out, `livegraft_${name.replaceAll('-', '_')}`))).toBe(false);
      return;
    }
    const bundle = await building;
    expect(bundle.manifest.functions).toMatchObject(expected.functions);
    expect(bundle.manifest.functions).toHaveLength(expected.functions.length);
    expect(bundle.manifest.added.map((each) => each.name)).toEqual(expected.added);

    const before = script(name, 'before.sh')!;
    const { evidence } = await tryBundles({
      kernel,
      bundles: [bundle],
      before,
      after: script(name, 'after.sh')!,
      // what held before must hold again, unless the example says otherwise
      reverted: script(name, 'reverted.sh') ?? before,
      targetsLater: expected.targetsLater,
    });
    expect(evidence, JSON.stringify(evidence, undefined, 1)).toMatchObject({ verdict: 'passed' });
    expect(JSON.parse(readFileSync(join(bundle.path, 'evidence.json'), 'utf8'))).toEqual(evidence);
  });
});
