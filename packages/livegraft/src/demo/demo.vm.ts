/** The demo as it is shown: on the ext4 regression, or on an example where the archive no longer has that kernel. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { silent } from '../support/progress.ts';
import { playDemo } from './demo.ts';

test('the demo crashes the kernel as shipped, cures it while it runs, and gives the crash back with the revert', async () => {
  const told: string[] = [];
  const result = await playDemo(
    {
      progress: silent,
      signal: new AbortController().signal,
      heading: (text) => told.push(text),
      tell: (text) => told.push(text),
      code: (text) => told.push(text),
      showBundle: () => undefined,
      showEvidence: () => undefined,
    },
    fileURLToPath(new URL('../../../../examples', import.meta.url)),
  );
  expect(result.passed, told.join('\n')).toBe(true);
  if (result.story === 'example') return;
  const [crash, cured, again] = result.trials;
  expect(crash).toMatchObject({ verdict: 'panicked' });
  expect(crash!.findings.map((finding) => finding.title).join('\n')).toMatch(/NULL pointer.*ext4_mb_load_buddy_gfp/);
  expect(cured).toMatchObject({ verdict: 'passed' });
  expect(cured!.findings.filter((finding) => finding.severity !== 'note')).toEqual([]);
  expect(again).toMatchObject({ verdict: 'panicked' });
});
