/** The demo: a real regression of Debian's kernel, seen, cured in the running kernel, and given back. It explains itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from '../build/build.ts';
import type { Bundle } from '../bundle/bundle.ts';
import { readyForBuilds } from '../kbuild/ready.ts';
import { type AvailableKernel, listAvailable } from '../kernel/debian.ts';
import { fetchKernel } from '../kernel/fetch.ts';
import { cacheDir } from '../kernel/places.ts';
import { tryOpenKernel } from '../kernel/store.ts';
import type { Kernel } from '../kernel/types.ts';
import type { Progress } from '../support/progress.ts';
import { guestModules, type Script, type Tried, tryBundles } from '../trial/try.ts';
import { type Evidence, evidenceOf } from '../vm/evidence.ts';
import { runTrial } from '../vm/run.ts';
import type { Step } from '../vm/trial.ts';
import { deriveFix } from './fix.ts';
import { diskPath, withDisk, workload, workloadModules } from './workload.ts';

/** The kernel with the regression, and the package version that repairs it (Debian bug 1154101). */
const broken = '6.1.0-55-amd64';
const repaired = { release: '6.1.0-56-amd64', version: '6.1.192-2' };

/** What the demo tells and shows; the command line decides how. */
export interface Stage {
  readonly progress: Progress;
  readonly signal: AbortSignal;
  heading(text: string): void;
  tell(text: string): void;
  code(text: string): void;
  showBundle(bundle: Bundle): void;
  showEvidence(evidence: Evidence): void;
}

export interface DemoResult {
  readonly story: 'ext4' | 'example';
  readonly kernel: string;
  readonly passed: boolean;
  readonly bundle: string;
  /** Seconds. */
  readonly seconds: { readonly build: number };
  readonly trials: readonly Evidence[];
}

/** Plays the ext4 story, or the example where the archive no longer has the kernels for it. */
export async function playDemo(stage: Stage, examples: string): Promise<DemoResult> {
  const { progress, signal } = stage;
  const here = await tryOpenKernel(broken);
  const offered = await listAvailable({ progress, signal }).catch((error: unknown) => {
    if (here === undefined) throw error;
    return [] as AvailableKernel[];
  });
  const fetchable = offered.filter((kernel) => kernel.missing.length === 0);
  const canBreak = here !== undefined || fetchable.some((kernel) => kernel.release === broken);
  const canRepair = fetchable.some((kernel) => kernel.version === repaired.version);
  if (canBreak && canRepair) return playExt4(stage);
  // later series run objtool at the link, which `build` refuses for now
  const newest = fetchable.findLast((kernel) => /^6\.1\.0-\d+-amd64$/.test(kernel.release));
  const missing = [canBreak ? '' : broken, canRepair ? '' : repaired.release]
    .filter((each) => each !== '')
    .join(' and ');
  stage.tell(
    `The archive no longer has ${missing}, which the ext4 story needs. Playing an example on the newest release instead.`,
  );
  return playExample(stage, newest?.release ?? broken, join(examples, 'proc-meminfo'));
}

async function playExt4(stage: Stage): Promise<DemoResult> {
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
    const started = performance.now();
    const bundle = await progress.step('Build the livepatch', (inner) =>
      build({
        patches: [{ name: 'ext4.patch', bytes: fix }],
        kernel,
        out: join(cacheDir(), 'demo'),
        replace: false,
        progress: inner,
        signal,
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    stage.showBundle(bundle);

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

async function playExample(stage: Stage, release: string, example: string): Promise<DemoResult> {
  const { progress, signal } = stage;
  const kernel = await progress.step(`Get ${release}`, (inner) => getKernel(release, { progress: inner, signal }));
  const read = async (name: string): Promise<Script> => ({ name, text: await readFile(join(example, name), 'utf8') });
  const bytes = await readFile(join(example, 'example.patch'));
  stage.heading('The patch');
  stage.code(excerpt(bytes.toString('utf8'), 14));
  const started = performance.now();
  const bundle = await progress.step('Build the livepatch', (inner) =>
    build({
      patches: [{ name: 'example.patch', bytes }],
      kernel,
      out: join(cacheDir(), 'demo'),
      replace: false,
      progress: inner,
      signal,
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  stage.showBundle(bundle);
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

async function getKernel(release: string, options: { progress: Progress; signal: AbortSignal }): Promise<Kernel> {
  const kernel = await fetchKernel(release, options);
  await readyForBuilds(kernel, options);
  return kernel;
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

/** The beginning of a patch, whole lines. */
function excerpt(text: string, lines: number): string {
  const all = text.trimEnd().split('\n');
  return all.length <= lines
    ? all.join('\n')
    : [...all.slice(0, lines), `… ${all.length - lines} more lines`].join('\n');
}
