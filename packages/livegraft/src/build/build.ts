/** The whole way from source patches to a bundle: parse, apply, compile, compare, prove, extract, link, write. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { readElf, sectionNamed } from '@livegraft/binfmt/elf/read';
import { type Bundle, requirePlace, writeBundle } from '../bundle/bundle.ts';
import { stated } from '../bundle/finding.ts';
import type { Manifest } from '../bundle/manifest.ts';
import { nameInvalid, nameTaken } from '../diagnostics/bundle.ts';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { objtoolMissing } from '../diagnostics/kbuild.ts';
import { nothingToReplace } from '../diagnostics/klp.ts';
import { compileSource } from '../kbuild/compile.ts';
import { moduleCommand } from '../kbuild/module-command.ts';
import { objectCacheFolder } from '../kbuild/object-cache.ts';
import { compilePatchedUnits, type PatchedUnits, type UnitObjects } from '../kbuild/objects.ts';
import type { Unit } from '../kbuild/types.ts';
import { cacheDir, lockFile } from '../kernel/places.ts';
import { requireSource } from '../kernel/store.ts';
import { checkToolchain } from '../kernel/toolchain.ts';
import type { Kernel } from '../kernel/types.ts';
import { type Extraction, extract } from '../klp/extract.ts';
import { type BuiltModule, makeModule, replacedPosition } from '../klp/module.ts';
import type { ChangedUnit } from '../klp/unit.ts';
import { type Diff, diffObjects, openObject } from '../objdiff/diff.ts';
import { parsePatch } from '../patch/parse.ts';
import { byteString } from '../patch/text.ts';
import type { Patch } from '../patch/types.ts';
import { placeUnit } from '../provenance/place.ts';
import { reportHtml } from '../report/report.ts';
import { reviewChanges, writtenReview } from '../review/review.ts';
import type { ReviewedUnit } from '../review/subject.ts';
import { sweep, withTemporaryFolder, writeFileWhole } from '../support/files.ts';
import { withLock } from '../support/lock.ts';
import type { Progress } from '../support/progress.ts';
import { version } from '../version.ts';
import { type Explanations, explainChanges } from './explain.ts';
import { provenanceOf, proveUnit } from './prove.ts';
import { ShippedObjects } from './shipped-objects.ts';
import { verifyBuilt } from './verify.ts';

export interface BuildRequest {
  readonly patches: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  readonly kernel: Kernel;
  /** The folder that the bundle's folder goes into. */
  readonly out: string;
  /** The module's name; from the first patch's file name unless given. */
  readonly name?: string;
  /** Atomic replacement of all earlier livepatches. */
  readonly replace: boolean;
  /** Where compiled objects are looked for and kept; default: in the cache. */
  readonly objects?: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/**
 * Builds a bundle. Throws LivegraftError: exit 3 when the patch changes no code, 4 when it cannot be live-patched,
 * 5 when the rebuilt code is not what was shipped, 75 when another livegraft builds into the same place.
 */
export async function build(request: BuildRequest): Promise<Bundle> {
  const name = bundleName(request);
  const path = resolve(request.out, name);
  const id = createHash('sha256').update(path).digest('hex').slice(0, 16);
  return withLock(lockFile(`bundle-${id}`), { what: `the bundle ${path}`, wait: 0 }, async () => {
    await requirePlace(path);
    return buildInto(path, name, request);
  });
}

async function buildInto(path: string, name: string, request: BuildRequest): Promise<Bundle> {
  const { kernel, progress, signal } = request;
  const aborting = signal === undefined ? {} : { signal };
  const patches = request.patches.map((input) => parsePatch(input.name, input.bytes));
  await requireSource(kernel);
  await checkToolchain(kernel.facts, signal);
  const scratchHome = join(cacheDir(), 'scratch');
  await sweep(scratchHome);
  return withTemporaryFolder(scratchHome, async (scratch) => {
    const kept = request.objects === undefined ? {} : { cache: request.objects };
    const compiled = await compilePatchedUnits({ kernel, patches, scratch, differs, progress, ...kept, ...aborting });
    const diffs = await progress.step('Compare original and patched', () =>
      Promise.resolve(compiled.units.map(compare)),
    );
    requireChange(diffs);
    const shipped = await progress.step(`Read the kernel ${kernel.name}`, () => ShippedObjects.open(kernel));
    requireObjtool(diffs, kernel, shipped);
    if (shipped.hasModule(name)) throw new LivegraftError(nameTaken({ name, kernel: kernel.name }));
    const units = await progress.step('Prove that the rebuilt original is what was shipped', () =>
      prove(diffs, shipped),
    );
    const explained = await progress.step('Find out why each function changed', () =>
      explainChanges({ kernel, units: diffs, files: compiled.files, scratch, ...aborting }),
    );
    const extraction = await extract(units);
    const result = await progress.step('Review the change', async () =>
      reviewChanges({
        kernel,
        image: shipped.image,
        units: await reviewed(kernel, units, compiled),
        files: compiled.files,
        extraction,
        causes: new Map([...explained].map(([verdict, { causes }]) => [verdict, causes])),
      }),
    );
    const module = await progress.step('Make the livepatch module', () =>
      compileModule(request, name, patches, extraction, shipped),
    );
    const found = [
      ...compiled.findings,
      ...diffs.flatMap(({ diff }) => diff.findings),
      ...extraction.findings,
      ...result.findings,
    ].map((finding) => withoutFolder(finding, request.patches));
    const described = describe(request, name, patches, units, extraction, module, shipped, explained, found);
    const { verified, findings: more } = await progress.step('Check the finished module', () =>
      verifyBuilt(kernel, shipped, compiled.units, module.bytes, described, signal),
    );
    const manifest = {
      ...described,
      ...(verified === undefined ? {} : { verified }),
      findings: [...described.findings, ...more.map(stated)],
    };
    const review = writtenReview(result, [...found, ...more], name, manifest.module.sha256);
    signal?.throwIfAborted();
    const patch = Buffer.concat(request.patches.map((input) => input.bytes));
    const { glue } = module;
    const inputs = request.patches.map((input) => ({ name: basename(input.name), bytes: input.bytes }));
    const report = reportHtml({ manifest, review, patches: inputs, glue });
    return writeBundle(path, { manifest, module: module.bytes, glue, patch, review, report });
  });
}

/** A note about a place in a patch: the folder it lay in is nobody’s business later, and differs from machine to machine. */
function withoutFolder(finding: Diagnostic, patches: BuildRequest['patches']): Diagnostic {
  const { place = '' } = finding;
  const patch = patches.find(({ name }) => place.startsWith(`${name}:`));
  return patch === undefined ? finding : { ...finding, place: basename(patch.name) + place.slice(patch.name.length) };
}

function reviewed(kernel: Kernel, units: readonly ChangedUnit[], compiled: PatchedUnits): Promise<ReviewedUnit[]> {
  return Promise.all(
    units.map(async (changed, i) => {
      const { unit, types } = compiled.units[i]!;
      const file = compiled.files.get(unit.source);
      const text = file ?? (await readUnchanged(kernel, unit));
      return { ...changed, text, ...(types === undefined ? {} : { types }) };
    }),
  );
}

async function readUnchanged({ paths }: Kernel, { source, generated }: Unit) {
  const text = byteString(await readFile(join(generated === true ? paths.build : paths.source, source)));
  return { original: text, patched: text };
}

interface UnitDiff {
  readonly unit: Unit;
  readonly diff: Diff;
  /** The rebuilt original with the shipped flags. */
  readonly proof: Uint8Array;
}

function compare({ unit, original, patched, proof }: UnitObjects): UnitDiff {
  return { unit, diff: diffObjects(unit.source, readElf(original), readElf(patched)), proof };
}

/** For units that only include a changed header: whether anything comes of it. */
function differs(source: string, original: Uint8Array, patched: Uint8Array): boolean {
  const { functions, findings } = diffObjects(source, readElf(original), readElf(patched));
  return (
    functions.some(({ verdict }) => verdict === 'changed' || verdict === 'new') ||
    findings.some(({ severity }) => severity === 'error')
  );
}

/** What objtool adds (ORC, return sites, static calls) must be in the objects: nothing else brings it into the module. */
function requireObjtool(diffs: readonly UnitDiff[], kernel: Kernel, { image }: ShippedObjects): void {
  if (image.section('.orc_unwind') === undefined) return;
  for (const { unit, diff } of diffs) {
    const comesAlong = diff.functions.some(({ verdict }) => verdict === 'changed' || verdict === 'new');
    if (!comesAlong || sectionNamed(diff.patched.object.elf, '.orc_unwind_ip') !== undefined) continue;
    throw new LivegraftError(objtoolMissing({ source: unit.source, kernel: kernel.name }));
  }
}

/** Throws what stands in the way of all units at once, or `nothing-to-replace` (exit 3). */
function requireChange(diffs: readonly UnitDiff[]): void {
  const [first, ...more] = diffs.flatMap(({ diff }) => diff.findings).filter((finding) => finding.severity === 'error');
  if (first !== undefined) throw new LivegraftError(first, ...more);
  if (diffs.some(({ diff }) => diff.functions.some((f) => f.verdict === 'changed') || diff.author.callbacks.length > 0))
    return;
  throw new LivegraftError(
    nothingToReplace({ count: diffs.reduce((sum, { diff }) => sum + diff.functions.length, 0) }),
  );
}

function prove(diffs: readonly UnitDiff[], shipped: ShippedObjects): Promise<ChangedUnit[]> {
  return Promise.all(
    diffs.map(async ({ unit, diff, proof }) => {
      const space = await shipped.spaceFor(unit.klpObject);
      const placement = placeUnit(openObject(unit.source, readElf(proof)), space.own);
      proveUnit(unit.source, diff, placement, space.own);
      return { source: unit.source, diff, placement, space };
    }),
  );
}

async function compileModule(
  { kernel, replace, signal, patches: inputs, objects = objectCacheFolder() }: BuildRequest,
  name: string,
  patches: readonly Patch[],
  extraction: Extraction,
  shipped: ShippedObjects,
): Promise<BuiltModule> {
  const command = await moduleCommand(kernel, name, 'glue', signal);
  return makeModule({
    facts: {
      module: name,
      description: `livepatch of ${kernel.release}: ${patches.map((patch) => patch.subject ?? basename(patch.name)).join('; ')}`,
      replace,
      info: [
        ['livegraft', version],
        ['livegraft_kernel', kernel.facts.buildId],
        [
          'livegraft_patch',
          createHash('sha256')
            .update(Buffer.concat(inputs.map((input) => input.bytes)))
            .digest('hex'),
        ],
      ],
    },
    extraction,
    note: {
      livegraft: version,
      kernel: kernel.facts.buildId,
      cves: cvesOf(patches),
      patches: patches.map((patch) => patch.subject ?? basename(patch.name)),
    },
    vmlinux: await shipped.spaceFor('vmlinux'),
    exports: shipped.image.exports,
    ibt: shipped.image.section('.ibt_endbr_seal') !== undefined,
    coreClears: shipped.image.symbols.named('clear_relocate_add').length > 0,
    compile: async (source) => {
      // by its content, so that a repeated build finds the object in the cache
      const input = join(objects, 'glue', `${createHash('sha256').update(source).digest('hex')}.c`);
      await writeFileWhole(input, source);
      const flags = ['-g0'];
      return (
        await compileSource({
          kernel,
          name: 'glue.c',
          command,
          input,
          flags,
          cache: objects,
          ...(signal === undefined ? {} : { signal }),
        })
      ).object;
    },
  });
}

function describe(
  { patches: inputs, kernel, replace }: BuildRequest,
  name: string,
  patches: readonly Patch[],
  units: readonly ChangedUnit[],
  extraction: Extraction,
  module: BuiltModule,
  shipped: ShippedObjects,
  explained: Explanations,
  findings: readonly Diagnostic[],
): Manifest {
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const { facts } = kernel;
  return {
    schema: 1,
    name,
    livegraft: version,
    kernel: {
      name: kernel.name,
      release: kernel.release,
      buildId: facts.buildId,
      vermagic: facts.vermagic,
      configHash: facts.configHash,
      banner: facts.banner,
    },
    module: { file: `${name}.ko`, size: module.bytes.length, sha256: sha256(module.bytes), buildId: module.buildId },
    patches: patches.map((patch, i) => ({
      name: basename(patch.name),
      ...(patch.subject === undefined ? {} : { subject: patch.subject }),
      size: inputs[i]!.bytes.length,
      sha256: sha256(inputs[i]!.bytes),
    })),
    cves: cvesOf(patches),
    replace,
    targets: module.objects.map((object) => ({
      object: object.name,
      buildId: shipped.buildIdOf(object.name),
      functions: object.functions.length,
      forgets: object.forget === 'going',
    })),
    units: units.map(({ source, space, placement }) => {
      const proofs = [...placement.functions.values()];
      const equal = proofs.filter((proof) => proof.state === 'equal').length;
      return {
        source,
        object: space.own.name,
        proved: { equal, compared: proofs.length, functions: provenanceOf(placement) },
      };
    }),
    functions: extraction.replaced.map((replaced) => ({
      name: replaced.verdict.original!.name,
      object: replaced.unit.space.own.name,
      unit: replaced.unit.source,
      sympos: replacedPosition(replaced),
      oldSize: replaced.verdict.original!.size,
      newSize: replaced.verdict.patched!.size,
      ...explained.get(replaced.verdict)!,
      provenance: 'equal',
    })),
    added: [
      ...extraction.added.map((each) => ({
        kind: 'function' as const,
        name: each.name,
        unit: each.unit.source,
        size: each.size,
      })),
      ...extraction.data.map((each) => ({
        kind: 'variable' as const,
        name: each.name,
        unit: each.unit.source,
        size: each.size,
      })),
    ],
    ...describeAuthor(units, extraction),
    toolchain: { compiler: facts.compiler, linker: facts.linker },
    findings: findings.map(stated),
  };
}

function cvesOf(patches: readonly Patch[]): string[] {
  return [...new Set(patches.flatMap((patch) => patch.text.match(/CVE-\d{4}-\d{4,}/g) ?? []))].sort();
}

/** What the patch said by livegraft.h. */
function describeAuthor(
  units: readonly ChangedUnit[],
  { callbacks, states }: Extraction,
): Pick<Manifest, 'callbacks' | 'states' | 'forced' | 'ignored'> {
  const forced = units.flatMap(({ source: unit, diff }) => diff.author.forced.map((each) => ({ unit, ...each })));
  const ignored = units.flatMap(({ source: unit, diff }) => diff.author.ignored.map((each) => ({ unit, ...each })));
  return {
    ...(callbacks.length === 0
      ? {}
      : {
          callbacks: callbacks.map(({ unit, kind, name }) => ({
            object: unit.space.own.name,
            unit: unit.source,
            kind,
            function: name,
          })),
        }),
    ...(states.length === 0 ? {} : { states: [...states] }),
    ...(forced.length === 0 ? {} : { forced }),
    ...(ignored.length === 0 ? {} : { ignored }),
  };
}

function bundleName({ name, patches }: BuildRequest): string {
  if (name !== undefined) {
    if (!/^[a-z0-9_]{1,55}$/.test(name)) throw new LivegraftError(nameInvalid({ name }));
    return name;
  }
  const base = basename(patches[0]!.name).replace(/\.(patch|diff|txt|eml|mbox)$/i, '');
  const plain = base
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return `livegraft_${plain || 'patch'}`.slice(0, 55);
}
