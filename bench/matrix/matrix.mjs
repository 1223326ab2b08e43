// npm run matrix [-- --only TITLE] [--examples NAME,…]: every kernel of the list (kernels.mjs): fetched, its code compared, the examples built and tried in it.
// Writes docs/support-matrix.md; with --only or --examples it only prints. Exit code 1 when something does not hold.
// With an empty XDG_CACHE_HOME it also says how long each kernel takes to fetch.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { root, setUp } from '../../scripts/setup.mjs';
import { kernels } from './kernels.mjs';
import { document, line } from './page.mjs';

const { values: options } = parseArgs({ options: { only: { type: 'string' }, examples: { type: 'string' } } });
setUp();
const dist = '../../packages/livegraft/dist';
const { build } = await import(`${dist}/build/build.js`);
const { LivegraftError } = await import(`${dist}/diagnostics/diagnostic.js`);
const { listAvailable, newestWhole } = await import(`${dist}/kernel/debian.js`);
const { moduleCommand } = await import(`${dist}/kbuild/module-command.js`);
const { describeKernel } = await import(`${dist}/kernel/describe.js`);
const { fetchKernel } = await import(`${dist}/kernel/fetch.js`);
const { cacheDir } = await import(`${dist}/kernel/places.js`);
const { siblingOf } = await import(`${dist}/kernel/share.js`);
const { listKernels, tryOpenKernel } = await import(`${dist}/kernel/store.js`);
const { silent } = await import(`${dist}/support/progress.js`);
const { exampleNames, readExample } = await import(`${dist}/trial/example.js`);
const { tryBundles } = await import(`${dist}/trial/try.js`);
const { compareUnits, differsByCompiler, differsByConfig } = await import('./provenance.mjs');

const examples = join(root, 'examples');
const names = options.examples?.split(',') ?? (await exampleNames(examples));
const scratchHome = join(cacheDir(), 'scratch');
mkdirSync(scratchHome, { recursive: true });
const scratch = mkdtempSync(join(scratchHome, 'matrix-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const seconds = async (work) => {
  const started = performance.now();
  const value = await work();
  return { value, seconds: (performance.now() - started) / 1000 };
};

/** Disk space of folders, each file once, of each folder what those before it do not have: bytes. */
function sizesOf(...paths) {
  const { stdout } = spawnSync('du', ['-s', '--block-size=1', ...paths], { encoding: 'utf8' });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => Number(line.split('\t')[0]));
}

const offered = (await listAvailable({ progress: silent, all: true }).catch(() => [])).filter(
  ({ missing }) => missing.length === 0,
);
const here = (await listKernels()).map(({ name }) => name);
const everywhere = [...here, ...offered.map(({ release }) => release)];

function choose({ pattern, pinned }) {
  if (everywhere.includes(pinned)) return pinned;
  return newestWhole(offered, pattern) ?? here.findLast((name) => pattern.test(name));
}

/** One example: what came of it, and how long that took. */
async function play(kernel, name) {
  const { patch, module, expected, before, after, reverted } = await readExample(examples, name, kernel.release);
  if (expected.outcome === 'absent') return { name, outcome: 'absent', why: expected.why };
  const out = mkdtempSync(join(scratch, 'out-'));
  try {
    const built = await seconds(() =>
      build({ patches: [patch], kernel, out, name: module, replace: false, progress: silent }),
    );
    if (expected.outcome === 'refused') return { name, outcome: 'failed', why: 'built, but it must be refused' };
    const tried = await seconds(() =>
      tryBundles({ kernel, bundles: [built.value], before, after, reverted, targetsLater: expected.targetsLater }),
    );
    const { evidence } = tried.value;
    const times = { build: built.seconds, trial: tried.seconds, boot: evidence.times.boot };
    if (evidence.verdict !== 'passed') return { name, outcome: 'failed', why: `trial: ${evidence.verdict}`, ...times };
    return { name, outcome: 'passed', ...times };
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    const codes = error.diagnostics.map(({ code }) => code);
    if (expected.outcome === 'refused' && String(codes) === String(expected.codes)) return { name, outcome: 'refused' };
    return { name, outcome: 'failed', why: error.message.split('\n')[0] };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** A compiler that is not the kernel's: that of the nearest kernel of the list with another one, which knows most of its options. */
async function otherCompiler(kernel) {
  const here = fetched.findIndex((each) => each.kernel === kernel);
  const others = fetched
    .map((each, i) => ({ kernel: each.kernel, distance: Math.abs(i - here) }))
    .filter((each) => each.kernel.facts.compiler !== kernel.facts.compiler)
    .sort((a, b) => a.distance - b.distance);
  return others[0] && (await moduleCommand(others[0].kernel, 'x', 'x')).compile[0];
}

const tell = (text) => process.stderr.write(`${text}\n`);

async function take(title, release) {
  const known = (await tryOpenKernel(release)) !== undefined;
  const got = await seconds(() => fetchKernel(release, { progress: silent }));
  tell(`${title}: ${release} ${known ? 'is here' : `fetched in ${got.seconds.toFixed(0)} s`}`);
  return { kernel: got.value, fetchSeconds: known ? undefined : got.seconds };
}

const fetched = [];
for (const entry of kernels.filter(({ title }) => options.only === undefined || title === options.only)) {
  const release = choose(entry);
  if (release === undefined) {
    tell(`${entry.title}: neither the archive nor the cache has a kernel`);
    process.exitCode = 1;
    continue;
  }
  fetched.push({ ...entry, ...(await take(entry.title, release)) });
}
const series = fetched.find(({ showsNeighbour }) => showsNeighbour);
const neighbour =
  series &&
  siblingOf(
    series.kernel.release,
    everywhere.filter((release) => series.pattern.test(release)),
  );
const second = neighbour && (await take(`${series.title}, the second`, neighbour));

const rows = [];
for (const { title, kernel, fetchSeconds } of fetched) {
  const about = await describeKernel(kernel);
  const { value: provenance, seconds: compared } = await seconds(() => compareUnits(kernel));
  const byConfig = await differsByConfig(kernel, scratch);
  const other = await otherCompiler(kernel);
  const byCompiler = other === undefined ? undefined : await differsByCompiler(kernel, other);
  const played = [];
  for (const name of names) {
    const result = await play(kernel, name);
    tell(`${title} ${name}: ${result.outcome}${result.why === undefined ? '' : ` (${result.why})`}`);
    played.push(result);
  }
  const row = {
    title,
    release: kernel.release,
    facts: kernel.facts,
    about,
    provenance,
    compared,
    byConfig,
    byCompiler,
    played,
    fetchSeconds,
    size: sizesOf(kernel.dir)[0],
  };
  rows.push(row);
  process.stdout.write(`${line(row)}\n`);
  const holds =
    provenance.vmlinux.equal >= 200 &&
    provenance.ext4.equal >= 50 &&
    Object.values(provenance).every(({ different }) => different.length === 0) &&
    byConfig.length > 0 &&
    (byCompiler === undefined || byCompiler.length > 0) &&
    played.every(({ outcome }) => outcome !== 'failed');
  if (!holds) process.exitCode = 1;
}
if (options.only === undefined && options.examples === undefined) {
  const path = join(root, 'docs/support-matrix.md');
  const beside = second && {
    title: series.title,
    release: neighbour,
    first: series.kernel.release,
    size: sizesOf(...fetched.map(({ kernel }) => kernel.dir), second.kernel.dir).at(-1),
    fetchSeconds: second.fetchSeconds,
  };
  writeFileSync(path, document(rows, { cache: sizesOf(cacheDir())[0], beside }));
  tell(`wrote ${path}`);
}
