/** The story without a crash: an example of examples/, on whatever release there is. */
import { readExample } from '../trial/example.ts';
import { tryBundles } from '../trial/try.ts';
import { buildLivepatch, type DemoResult, excerpt, getKernel, type Stage } from './stage.ts';

export async function playExample(stage: Stage, release: string, examples: string, name: string): Promise<DemoResult> {
  const { progress, signal } = stage;
  const kernel = await progress.step(`Get ${release}`, (inner) => getKernel(release, { progress: inner, signal }));
  const { patch, before, after, reverted } = await readExample(examples, name, release);
  stage.heading('The patch');
  stage.code(excerpt(Buffer.from(patch.bytes).toString('utf8'), 14));
  const { bundle, seconds } = await buildLivepatch(stage, kernel, { name: 'example.patch', bytes: patch.bytes });
  stage.heading('The kernel, patched while it runs');
  const tried = await tryBundles({
    kernel,
    bundles: [bundle],
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    ...(reverted === undefined ? {} : { reverted }),
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
