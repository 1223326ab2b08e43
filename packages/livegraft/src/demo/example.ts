/** The story without a crash: an example of examples/, on whatever release there is. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Script, tryBundles } from '../trial/try.ts';
import { buildLivepatch, type DemoResult, excerpt, getKernel, type Stage } from './stage.ts';

export async function playExample(stage: Stage, release: string, example: string): Promise<DemoResult> {
  const { progress, signal } = stage;
  const kernel = await progress.step(`Get ${release}`, (inner) => getKernel(release, { progress: inner, signal }));
  const read = async (name: string): Promise<Script> => ({ name, text: await readFile(join(example, name), 'utf8') });
  const bytes = await readFile(join(example, 'example.patch'));
  stage.heading('The patch');
  stage.code(excerpt(bytes.toString('utf8'), 14));
  const { bundle, seconds } = await buildLivepatch(stage, kernel, { name: 'example.patch', bytes });
  stage.heading('The kernel, patched while it runs');
  const tried = await tryBundles({
    kernel,
    bundles: [bundle],
    before: await read('before.sh'),
    after: await read('after.sh'),
    reverted: await read('before.sh'),
    progress,
    signal,
  });
  stage.showEvidence(tried.evidence);
  const passed = tried.evidence.verdict === 'passed';
  return {
    story: 'example',
    kernel: kernel.name,
    passed,
    bundle: bundle.path,
    seconds: { build: seconds },
    trials: [tried.evidence],
  };
}
