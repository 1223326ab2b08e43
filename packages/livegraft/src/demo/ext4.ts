/** The story of a real regression in Debian's ext4: the crash, the cure while it runs, and the crash again once it was taken back. */
import type { Bundle } from '../bundle/bundle.ts';
import type { Evidence } from '../bundle/evidence.ts';
import type { Kernel } from '../kernel/types.ts';
import { evidenceOf } from '../trial/evidence.ts';
import { guestModules, type Tried, tryBundles } from '../trial/try.ts';
import { runTrial } from '../vm/run.ts';
import type { Step } from '../vm/trial.ts';
import { deriveFix } from './fix.ts';
import { buildLivepatch, type DemoResult, excerpt, getKernel, type Stage } from './stage.ts';
import { diskPath, withDisk, workload, workloadModules } from './workload.ts';

/** The kernel with the regression, and the package version that repairs it (Debian bug 1154101). */
export const broken = '6.1.0-55-amd64';
export const repaired = { release: '6.1.0-56-amd64', version: '6.1.192-2' };

export async function playExt4(stage: Stage): Promise<DemoResult> {
  const { progress, signal } = stage;
  const options = { progress, signal };
  stage.heading('A regression in a shipped kernel');
  stage.tell(
    `Debian's kernel ${broken} (6.1.192-1) has a mistake in ext4: __filemap_get_folio() returns NULL when there is no page, but the code tests for an error pointer. The next release repairs it. A server that runs ${broken} would have to reboot; here is how it does not.`,
  );
  const kernel = await progress.step(`Get ${broken}: image, headers, modules, and its exact source`, (inner) =>
    getKernel(broken, { progress: inner, signal }),
  );
  const fix = await progress.step(
    `Derive the fix from Debian's source packages 6.1.192-1 and ${repaired.version}`,
    (inner) => deriveFix(kernel, repaired.version, 'fs/ext4', { ...options, progress: inner }),
  );
  stage.code(excerpt(Buffer.from(fix).toString('utf8'), 14));

  return withDisk(async (image) => {
    stage.heading('1. The kernel as shipped');
    stage.tell(
      'In a virtual machine with that very kernel: mount a small ext4 file system, write a little, drop the cache, write again.',
    );
    const files = { [diskPath]: image };
    const crash = await trial(stage, kernel, files, 'Boot the kernel as shipped', [script('write to ext4')]);
    const trace = faultOf(crash);
    stage.tell(
      crash.verdict === 'panicked' ? 'It crashes:' : `It did not crash as expected (${crash.verdict}: ${crash.why}).`,
    );
    if (trace !== undefined) stage.code(trace.lines.slice(0, 12).join('\n'));

    stage.heading('2. The fix becomes a livepatch');
    stage.tell(
      'Only the touched file is compiled, as it was and as it should be; what changed in the machine code becomes a module.',
    );
    const { bundle, seconds } = await buildLivepatch(stage, kernel, { name: 'ext4.patch', bytes: fix });

    stage.heading('3. The same kernel, patched while it runs');
    stage.tell(
      'The same kernel again: load the livepatch, wait until every task has moved over, then do what crashed it; unload and load ext4 while the patch stays; take the patch back.',
    );
    const cured = await withPatch(stage, kernel, bundle, files);
    stage.showEvidence(cured.evidence);

    stage.heading('4. Taken back');
    stage.tell('After the revert the kernel runs its own code again, and so the old mistake is back:');
    const patch = bundle.manifest.name;
    const again = await trial(
      stage,
      kernel,
      files,
      'Boot once more: load, revert, unload, then write to ext4',
      [
        { kind: 'load', patch },
        { kind: 'revert', patch },
        { kind: 'unload', patch },
        script('write to ext4 after the revert'),
      ],
      bundle,
    );
    const last = again.steps.at(-1)!;
    const before = again.steps.slice(0, -1);
    const reverted =
      again.verdict === 'panicked' &&
      last.outcome === 'unfinished' &&
      before.every((step) => step.outcome === 'passed');
    if (reverted) stage.code(faultOf(again)?.title ?? again.why);
    else stage.tell(`That did not go as expected: ${again.verdict}, ${again.why}`);

    const passed = crash.verdict === 'panicked' && cured.evidence.verdict === 'passed' && reverted;
    stage.heading(passed ? 'Done' : 'Not as it should be');
    stage.tell(
      passed
        ? `From the source patch to the livepatch in ${seconds.toFixed(1)} s; the crash without it, none with it, and the kernel's own code back after it. The bundle: ${bundle.path}`
        : `Something above did not go as expected. The bundle: ${bundle.path}`,
    );
    return {
      story: 'ext4',
      kernel: kernel.name,
      passed,
      bundle: bundle.path,
      seconds: { build: seconds },
      trials: [crash, cured.evidence, again],
    };
  }, signal);
}

/** What went wrong first: the panic at the end is only its consequence. */
function faultOf(evidence: Evidence): Evidence['findings'][number] | undefined {
  const bad = evidence.findings.filter((finding) => finding.severity !== 'note');
  return bad.find((finding) => !finding.title.startsWith('Kernel panic')) ?? bad[0];
}

function script(name: string): Step {
  return { kind: 'script', name, text: workload };
}

async function withPatch(
  { progress, signal }: Stage,
  kernel: Kernel,
  bundle: Bundle,
  files: Record<string, string>,
): Promise<Tried> {
  return tryBundles({
    kernel,
    bundles: [bundle],
    modules: workloadModules,
    files,
    after: { name: 'write to ext4', text: workload },
    progress,
    signal,
  });
}

async function trial(
  { progress, signal }: Stage,
  kernel: Kernel,
  files: Record<string, string>,
  title: string,
  steps: readonly Step[],
  bundle?: Bundle,
): Promise<Evidence> {
  const modules = await guestModules(kernel, workloadModules);
  const started = new Date();
  const result = await progress.step(title, (inner) =>
    runTrial({
      kernel: { release: kernel.release, vmlinuz: kernel.paths.vmlinuz, vmlinux: kernel.paths.vmlinux },
      modules,
      files,
      bundles: bundle === undefined ? {} : { [bundle.manifest.name]: bundle.module },
      trial: { steps: [...workloadModules.map((module): Step => ({ kind: 'modprobe', module })), ...steps] },
      cpus: 2,
      progress: inner,
      signal,
    }),
  );
  return evidenceOf(result, started);
}
