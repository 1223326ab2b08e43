/** Every example of examples/: built, tried in its kernel, and taken back, or refused for the reason it says. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../build/build.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { silent } from '../support/progress.ts';
import { examplesFolder } from '../testing/examples.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { exampleNames, readExample } from './example.ts';
import { tryBundles } from './try.ts';

const names = await exampleNames(examplesFolder);

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'livegraft-examples-'));
});
afterAll(() => rm(out, { recursive: true, force: true }));

const byName = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
  list.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));

describe('examples', () => {
  test.for(names)('%s', async (name, { skip }) => {
    const kernel = await testKernel();
    const { patch, module, expected, before, after, reverted } = await readExample(
      examplesFolder,
      name,
      kernel.release,
    );
    if (expected.outcome === 'absent') return skip(expected.why);
    const building = build({ patches: [patch], kernel, out, name: module, replace: false, progress: silent });
    if (expected.outcome === 'refused') {
      const error = await building.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LivegraftError);
      const { exit, diagnostics } = error as LivegraftError;
      expect({ exit, codes: diagnostics.map((each) => each.code) }).toEqual({
        exit: expected.exit,
        codes: expected.codes,
      });
      expect(existsSync(join(out, module))).toBe(false);
      return;
    }
    const bundle = await building;
    // their order, and the numbers in the names of what comes along, are the compiler's
    expect(byName(bundle.manifest.functions)).toMatchObject(byName(expected.functions));
    expect(bundle.manifest.functions).toHaveLength(expected.functions.length);
    const added = bundle.manifest.added.map(({ name }) => name.replace(/\.\d+$/, ''));
    expect(added.sort()).toEqual(expected.added.toSorted());

    const { evidence } = await tryBundles({
      kernel,
      bundles: [bundle],
      before: before!,
      after: after!,
      reverted: reverted!,
      targetsLater: expected.targetsLater,
    });
    expect(evidence, JSON.stringify(evidence, undefined, 1)).toMatchObject({ verdict: 'passed' });
    expect(JSON.parse(readFileSync(join(bundle.path, 'evidence.json'), 'utf8'))).toEqual(evidence);
  });
});
