/** Tries bundles on their kernel in a virtual machine: load, scripts, reload of targets, revert, unload; what came of it goes into each bundle. */
import { join } from 'node:path';
import { type Bundle, hasReview, requireKernel } from '../bundle/bundle.ts';
import type { Evidence } from '../bundle/evidence.ts';
import { readBuiltins, readModuleFile, readModuleIndex, resolveModules } from '../kernel/modules.ts';
import type { Kernel } from '../kernel/types.ts';
import { drawReport } from '../report/draw.ts';
import { type Progress, silent } from '../support/progress.ts';
import type { AccelWish } from '../vm/accel.ts';
import type { GuestModule } from '../vm/guest-modules.ts';
import { runTrial, type TrialResult } from '../vm/run.ts';
import type { Step } from '../vm/trial.ts';
import { evidenceOf, writeEvidence } from './evidence.ts';

export interface Script {
  readonly name: string;
  readonly text: string;
}

export interface TryRequest {
  readonly kernel: Kernel;
  /** One after the other, in one guest. */
  readonly bundles: readonly Bundle[];
  /** Run while the kernel is as shipped; must succeed. */
  readonly before?: Script;
  /** Run while each bundle is active. */
  readonly after?: Script;
  /** Run when each bundle was reverted and unloaded. */
  readonly reverted?: Script;
  /** More modules to have in the guest, loaded at its start. */
  readonly modules?: readonly string[];
  /** Path in the guest → file of the host. */
  readonly files?: Readonly<Record<string, string>>;
  /** Target modules are loaded after the livepatch instead of before it. */
  readonly targetsLater?: boolean;
  /** Seconds a script may take. */
  readonly timeout?: number;
  readonly accel?: AccelWish;
  readonly cpus?: number;
  readonly memory?: number;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

export interface Tried {
  readonly result: TrialResult;
  readonly evidence: Evidence;
}

/** Throws `bundle-for-other-kernel` (exit 5) before any guest is started; what happens in the guest is the result. */
export async function tryBundles(request: TryRequest): Promise<Tried> {
  const { kernel, bundles, progress = silent } = request;
  for (const bundle of bundles) requireKernel(bundle, kernel);
  const targets = [
    ...new Set(bundles.flatMap((bundle) => bundle.manifest.targets.map((target) => target.object))),
  ].filter((object) => object !== 'vmlinux');
  const modules = await guestModules(kernel, [...(request.modules ?? []), ...targets]);
  const started = new Date();
  const result = await progress.step(
    `Try ${bundles.map((bundle) => bundle.manifest.name).join(', ')} on ${kernel.release}`,
    (inner) =>
      runTrial({
        kernel: { release: kernel.release, vmlinuz: kernel.paths.vmlinuz, vmlinux: kernel.paths.vmlinux },
        modules,
        files: request.files ?? {},
        bundles: Object.fromEntries(bundles.map((bundle) => [bundle.manifest.name, bundle.module])),
        trial: { steps: trialSteps(request) },
        cpus: request.cpus ?? 2,
        ...(request.memory === undefined ? {} : { memory: request.memory }),
        ...(request.accel === undefined ? {} : { accel: request.accel }),
        progress: inner,
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      }),
  );
  const hashes = Object.fromEntries(bundles.map(({ manifest }) => [manifest.name, manifest.module.sha256]));
  const evidence = evidenceOf(result, started, hashes);
  for (const bundle of bundles) {
    await writeEvidence(join(bundle.path, 'evidence.json'), evidence);
    // bundles of livegraft 0.1 have no review to draw
    if (await hasReview(bundle)) await drawReport(bundle);
  }
  return { result, evidence };
}

/** Modules by name, with all they need, as the guest takes them. */
export async function guestModules(kernel: Kernel, names: readonly string[]): Promise<GuestModule[]> {
  if (names.length === 0) return [];
  const [index, builtins] = await Promise.all([readModuleIndex(kernel), readBuiltins(kernel)]);
  const wanted = resolveModules(kernel.name, index, builtins, names);
  const loadable = await Promise.all(
    wanted.map(async (module) => ({
      name: module.name,
      file: await readModuleFile(join(kernel.paths.modules!, module.path)),
      depends: module.depends.map((name) => name.replaceAll('-', '_')),
      aliases: module.aliases.filter((alias) => !alias.includes(':')),
    })),
  );
  // so that modprobe knows those asked for that this kernel has built in
  const builtin = names.map((name) => name.replaceAll('-', '_')).filter((name) => builtins.has(name));
  return [...loadable, ...builtin.map((name) => ({ name }))];
}

function trialSteps(request: TryRequest): Step[] {
  const { bundles, before, after, reverted } = request;
  const timeout = request.timeout === undefined ? {} : { timeout: request.timeout };
  const script = (name: string, each: Script | undefined): Step[] =>
    each === undefined ? [] : [{ kind: 'script', name: `${name}: ${each.name}`, text: each.text, ...timeout }];
  const targetsOf = (bundle: Bundle): string[] =>
    bundle.manifest.targets.map((target) => target.object).filter((object) => object !== 'vmlinux');
  const loaded = request.modules ?? [];
  const early =
    request.targetsLater === true
      ? []
      : [...new Set(bundles.flatMap(targetsOf))].filter((target) => !loaded.includes(target));
  const first = loaded.map((module): Step => ({ kind: 'modprobe', module }));
  return [
    ...first,
    ...early.map((module): Step => ({ kind: 'modprobe', module })),
    ...script('before', before),
    ...bundles.flatMap((bundle): Step[] => {
      const patch = bundle.manifest.name;
      return [
        { kind: 'load', patch },
        ...(request.targetsLater === true
          ? targetsOf(bundle).map((module): Step => ({ kind: 'modprobe', module }))
          : []),
        ...script('after', after),
        // whoever holds the module may keep it; but once it is gone, it must come back
        ...targetsOf(bundle).flatMap((module): Step[] => [
          { kind: 'rmmod', module, need: 'may' },
          { kind: 'modprobe', module },
        ]),
        { kind: 'revert', patch },
        { kind: 'unload', patch },
        ...script('reverted', reverted),
      ];
    }),
  ];
}
