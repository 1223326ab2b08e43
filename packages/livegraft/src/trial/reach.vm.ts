/**
 * A kernel of another Debian release, with IBT, whose build runs objtool at the link, and whose compiler this machine does not have: fetched, its code
 * compared, a livepatch of vmlinux and a module built, tried, its target reloaded. `npm run matrix` does so with all kernels and examples.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readElf } from '@livegraft/binfmt/elf/read';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from '../build/build.ts';
import type { Bundle } from '../bundle/bundle.ts';
import { listAvailable, newestWhole } from '../kernel/debian.ts';
import { fetchKernel } from '../kernel/fetch.ts';
import { readImage } from '../kernel/image.ts';
import { listKernels } from '../kernel/store.ts';
import type { Kernel } from '../kernel/types.ts';
import { silent } from '../support/progress.ts';
import { examplesFolder } from '../testing/examples.ts';
import { readExample } from './example.ts';
import { tryBundles } from './try.ts';

const wanted = /^6\.12\.\d+\+deb13(\.\d+)?-amd64$/;

async function choose(): Promise<string> {
  const here = (await listKernels()).map(({ name }) => name).filter((name) => wanted.test(name));
  const last = here.at(-1);
  if (last !== undefined) return last;
  return newestWhole(await listAvailable({ progress: silent, all: true }), wanted)!;
}

let dir = '';
let kernel: Kernel;
let bundle: Bundle;
const example = async () => readExample(examplesFolder, 'late-module', kernel.release);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-reach-'));
  kernel = await fetchKernel(await choose(), { progress: silent });
  const { patch, module } = await example();
  bundle = await build({ patches: [patch], kernel, out: dir, name: module, replace: false, progress: silent });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('compiler and linker are those that the banner names, out of packages where the machine has others', () => {
  expect(kernel.facts.compiler).toMatch(/^x86_64-linux-gnu-gcc-14 \(Debian 14\./);
  expect(bundle.manifest.toolchain).toEqual({ compiler: kernel.facts.compiler, linker: kernel.facts.linker });
});

test('whole units of vmlinux and of a module are the shipped code', () => {
  const states = bundle.manifest.units.flatMap(({ proved }) => Object.values(proved.functions ?? {}));
  expect(states.filter((state) => state === 'equal').length).toBeGreaterThan(30);
  expect(bundle.manifest.units.map(({ object }) => object)).toEqual(['vmlinux', 'vmlinux', 'pktgen']);
});

test('the module has what objtool writes at the link, room before functions, and no address of a sealed function', async () => {
  const elf = readElf(readFileSync(join(bundle.path, bundle.manifest.module.file)));
  const names = elf.sections.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['.call_sites', '.return_sites', '.orc_unwind', '.orc_unwind_ip']));
  for (const { name } of bundle.manifest.functions) {
    const [entry, room] = [name, `__pfx_${name}`].map((each) => elf.symbols.find((symbol) => symbol.name === each)!);
    expect(room!.value + BigInt(room!.size)).toBe(entry!.value);
    const data = elf.sections[room!.section]!.data.subarray(Number(room!.value), Number(entry!.value));
    expect([...new Set(data)]).toEqual([0x90]);
  }
  expect((await readImage(kernel)).section('.ibt_endbr_seal')?.size).toBeGreaterThan(1000);
});

test('it is loaded, does what it says, its target is unloaded and loaded again, and all is taken back', async () => {
  const { before, after, reverted } = await example();
  // the kernel knows its own modules, which came compressed: their signature is whole
  const own = '[ -z "$(cat /sys/module/pktgen/taint)" ]';
  const scripts = { before: before!, after: { ...after!, text: `${after!.text}\n${own}\n` }, reverted: reverted! };
  const { evidence } = await tryBundles({ kernel, bundles: [bundle], ...scripts, targetsLater: true });
  expect(evidence, JSON.stringify(evidence, undefined, 1)).toMatchObject({ verdict: 'passed' });
  const steps = evidence.steps.map(({ kind, subject }) => `${kind} ${subject}`);
  expect(steps).toEqual(expect.arrayContaining(['rmmod pktgen', 'modprobe pktgen']));
});
