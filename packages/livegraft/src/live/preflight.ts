/** Everything that can be known before a bundle is loaded: whether it belongs to this kernel, whether the kernel will take it, who is in its way. */
import { join } from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { bundleForeign } from '../diagnostics/bundle.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/host.ts';
import { type RunningKernel, readRunningKernel } from '../host/kernel.ts';
import { type Livepatch, livepatchFolder, readLivepatches } from '../host/livepatch.ts';
import { readModule } from '../host/modules.ts';
import type { HostRoots } from '../host/roots.ts';
import { functionsInTheWay } from './functions.ts';
import { asLivepatch } from './plan.ts';
import { statesIncompatible } from './states.ts';

export interface Preflight {
  readonly kernel: RunningKernel;
  /** Loaded, or to be loaded, before: the oldest first. */
  readonly livepatches: readonly Livepatch[];
  /** Errors first: with one of them the bundle must not be loaded. */
  readonly findings: readonly Diagnostic[];
}

export interface PreflightOptions {
  /** Functions that another livepatch replaces may be replaced over it. */
  readonly onTop?: boolean;
  /** Bundles that will be loaded before this one: taken as if they were. */
  readonly after?: readonly Bundle[];
}

/** Reads, and changes nothing. The module's own bytes were checked when the bundle was read. */
export async function preflight(bundle: Bundle, roots: HostRoots, options: PreflightOptions = {}): Promise<Preflight> {
  const kernel = readRunningKernel(roots);
  const livepatches = planned(readLivepatches(roots), options.after ?? []);
  const fits = aboutKernel(bundle, kernel, roots);
  const findings = [
    ...fits,
    ...aboutTargets(bundle, roots),
    ...aboutEntry(bundle, kernel, roots),
    ...aboutLoaded(bundle, livepatches, roots),
    ...aboutStates(bundle, livepatches),
    // functions of another kernel are no evidence of anything here
    ...(fits.length > 0 ? [] : await functionsInTheWay(bundle, livepatches, roots, options.onTop ?? false)),
  ];
  const rank = { error: 0, warning: 1, note: 2 } as const;
  return { kernel, livepatches, findings: findings.sort((a, b) => rank[a.severity] - rank[b.severity]) };
}

/** What will be loaded when the turn comes: atomic replace leaves nothing of what was there. */
function planned(livepatches: readonly Livepatch[], bundles: readonly Bundle[]): readonly Livepatch[] {
  return bundles.reduce(
    (layers, { manifest }) => [...(manifest.replace ? [] : layers), asLivepatch(manifest)],
    livepatches,
  );
}

/** @param what the bundle, or what would be one */
export function aboutKernel(
  {
    manifest,
    path,
  }: {
    readonly path: string;
    readonly manifest: { readonly kernel: Pick<Bundle['manifest']['kernel'], 'release' | 'buildId'> };
  },
  kernel: RunningKernel,
  roots: HostRoots,
): Diagnostic[] {
  const { release, buildId } = manifest.kernel;
  if (kernel.buildId === undefined) {
    return [say.kernelUnnamed({ path: join(roots.sys, 'kernel/notes'), expected: `${release} (${buildId})` })];
  }
  if (kernel.buildId !== buildId) {
    return [
      bundleForeign({
        path,
        builtFor: release,
        builtForId: buildId,
        kernel: kernel.release,
        kernelId: kernel.buildId,
      }),
    ];
  }
  return kernel.livepatching ? [] : [say.livepatchUnsupported({ path: livepatchFolder(roots) })];
}

/** A target that comes later is checked by the kernel only for its symbols: that is said. */
function aboutTargets({ manifest }: Bundle, roots: HostRoots): Diagnostic[] {
  return manifest.targets
    .filter(({ object }) => object !== 'vmlinux')
    .flatMap(({ object, buildId, functions }) => {
      const module = readModule(roots, object);
      if (module === undefined) return [say.targetAbsent({ module: object, functions })];
      if (module.buildId === buildId) return [];
      return [say.targetDiffers({ module: object, found: module.buildId ?? 'not there', expected: buildId })];
    });
}

/** modsign's mark at the end of a signed module (include/linux/module_signature.h). */
const signatureMark = '~Module signature appended~\n';
/** A module takes about its size, its copy while it is loaded, and what ftrace and the core allocate. */
const memoryBesides = 8 << 20;

function aboutEntry({ manifest, module }: Bundle, kernel: RunningKernel, roots: HostRoots): Diagnostic[] {
  const findings: Diagnostic[] = [];
  if (kernel.modulesDisabled)
    findings.push(say.modulesDisabled({ path: join(roots.proc, 'sys/kernel/modules_disabled') }));
  if (kernel.signedOnly !== undefined) {
    const signed = Buffer.from(module.subarray(-signatureMark.length)).toString('latin1') === signatureMark;
    const state = signed ? say.signatureUnchecked : say.moduleUnsigned;
    findings.push(state({ module: manifest.module.file, why: kernel.signedOnly }));
  }
  const needed = 3 * manifest.module.size + memoryBesides;
  if (kernel.memoryAvailable !== undefined && kernel.memoryAvailable < needed)
    findings.push(say.memoryLow({ available: kernel.memoryAvailable, needed }));
  return findings;
}

function aboutLoaded({ manifest }: Bundle, livepatches: readonly Livepatch[], roots: HostRoots): Diagnostic[] {
  const { name, module: built } = manifest;
  const findings: Diagnostic[] = [];
  const there = readModule(roots, name);
  if (there !== undefined) {
    const livepatch = livepatches.find((each) => each.name === name);
    if (there.buildId !== built.buildId) {
      findings.push(say.moduleNameTaken({ name, found: there.buildId ?? 'not known', expected: built.buildId }));
    } else if (livepatch === undefined) findings.push(say.moduleLeft({ name }));
    else findings.push(say.alreadyLoaded({ name, state: stateWord(livepatch) }));
  }
  const moving = livepatches.find((each) => each.inTransition && each.name !== name);
  if (moving !== undefined) {
    findings.push(say.transitionRunning({ name: moving.name, direction: moving.enabled ? 'enabled' : 'taken back' }));
  }
  const others = livepatches.filter((each) => each.name !== name).map((each) => each.name);
  if (manifest.replace && others.length > 0) findings.push(say.replacesAll({ names: others }));
  return findings;
}

/** What the kernel would refuse with no more than "not compatible"; livepatches of other tools say nothing of their states. */
function aboutStates({ manifest }: Bundle, livepatches: readonly Livepatch[]): Diagnostic[] {
  const { name, replace, states = [] } = manifest;
  const loaded = livepatches
    .filter((each) => each.name !== name)
    .flatMap(({ name: other, note }) => (note === undefined ? [] : [{ name: other, states: note.states }]));
  return statesIncompatible({ name, replace, states }, loaded).map((conflict) =>
    say.statesConflict({ name, ...conflict }),
  );
}

/** A livepatch's state inside a sentence. */
export function stateWord({ state }: Pick<Livepatch, 'state'>): string {
  const words = {
    active: 'active',
    enabling: 'being enabled',
    disabling: 'being taken back',
    inactive: 'inactive',
  } as const;
  return words[state];
}
