/** Damaged real inputs: kpatch's object pairs, modules as they were shipped, the image of a kernel. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readModuleFile, readModuleIndex } from '../../kernel/modules.ts';
import { testKernel } from '../test-kernel.ts';
import { execute, prepare } from './execute.ts';
import { sharedObjects } from './objects.ts';
import { targets } from './targets.ts';

/** What came of it that must not. */
async function findings(name: string, wholes: readonly Uint8Array[], count: number): Promise<string[]> {
  const target = targets.find((each) => each.name === name)!;
  const found: string[] = [];
  for (let seed = 1; seed <= count; seed++) {
    const outcome = await execute(prepare(target, seed, wholes), 20_000);
    if (outcome.kind === 'finding') found.push(`--target ${name} --seed ${seed}: ${outcome.label}`);
  }
  return found;
}

describe.skipIf(sharedObjects(60_000).length === 0)('kpatch’s object pairs (../shared/kpatch-unit)', () => {
  test.each(['diff', 'diff-unmarked', 'explain', 'place', 'shipped', 'link'])('%s', async (name) => {
    expect(await findings(name, sharedObjects(60_000), 100)).toEqual([]);
  });
});

describe('a shipped kernel', () => {
  test.each(['elf', 'module-file', 'diff', 'place', 'shipped'])('its modules: %s', async (name) => {
    const kernel = await testKernel();
    const modules: Uint8Array[] = [];
    for (const { path } of (await readModuleIndex(kernel)).slice(0, 400)) {
      const file = join(kernel.paths.modules!, path);
      if ((await stat(file)).size < 30_000) modules.push(await readModuleFile(file));
    }
    expect(modules.length).toBeGreaterThan(10);
    expect(await findings(name, modules, 100)).toEqual([]);
  });

  test('its image', async () => {
    const kernel = await testKernel();
    expect(await findings('image', [await readFile(kernel.paths.vmlinux)], 3)).toEqual([]);
  });
});
