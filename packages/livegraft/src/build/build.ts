/** The whole way from source patches to a bundle: parse, apply, compile, compare, prove, extract, link, write. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { readElf } from '@livegraft/binfmt/elf/read';
import { type Bundle, refuseForeign, writeBundle } from '../bundle/bundle.ts';
import type { Manifest } from '../bundle/manifest.ts';
import { nameInvalid, nameTaken } from '../diagnostics/bundle.ts';
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { functionCount } from '../diagnostics/klp.ts';
import { findUnits } from '../kbuild/command.ts';
import { compileSource, compileUnits } from '../kbuild/compile.ts';
import { moduleCommand } from '../kbuild/module-command.ts';
import { makePatchedTree } from '../kbuild/tree.ts';
import type { Unit } from '../kbuild/types.ts';
import { cacheDir, lockFile } from '../kernel/places.ts';
import { checkToolchain } from '../kernel/toolchain.ts';
import type { Kernel } from '../kernel/types.ts';
import { type ChangedUnit, type Extraction, extract } from '../klp/extract.ts';
import { type BuiltModule, makeModule, replacedPosition } from '../klp/module.ts';
import { cutObject } from '../objdiff/atoms.ts';
import { type Diff, diffObjects, type FunctionVerdict } from '../objdiff/diff.ts';
import { applyPatches } from '../patch/apply.ts';
import { readSourceIncludes } from '../patch/includes.ts';
import { parsePatch } from '../patch/parse.ts';
import { scopePatches } from '../patch/scope.ts';
import type { Patch } from '../patch/types.ts';
import { placeUnit } from '../provenance/place.ts';
import { sweep, withTemporaryFolder } from '../support/files.ts';
import { withLock } from '../support/lock.ts';
import type { Progress } from '../support/progress.ts';
import { version } from '../version.ts';
import { proveReplaced } from './prove.ts';
import { ShippedObjects } from './shipped-objects.ts';

export interface BuildRequest {
  readonly patches: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  readonly kernel: Kernel;
  /** The folder that the bundle's folder goes into. */
  readonly out: string;
  /** The module's name; from the first patch's file name unless given. */
  readonly name?: string;
  /** Atomic replacement of all earlier livepatches. */
  readonly replace: boolean;
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
  await refuseForeign(path);
  return withLock(lockFile(`bundle-${id}`), { what: `the bundle ${path}`, wait: 0 }, () => buildInto(path, name, request));
}

async function buildInto(path: string, name: string, request: BuildRequest): Promise<Bundle> {
  const { kernel, progress, signal } = request;
  const patches = request.patches.map((input) => parsePatch(input.name, input.bytes));
  await checkToolchain(kernel.facts, signal);
  const scratchHome = join(cacheDir(), 'scratch');
  await sweep(scratchHome);
  return withTemporaryFolder(scratchHome, async (scratch) => {
    const change = await progress.step('Reading the patch', () => readChange(request, patches, scratch));
    const shipped = await progress.step(`Reading the kernel ${kernel.name}`, () => ShippedObjects.open(kernel));
    if (shipped.hasModule(name)) throw new LivegraftError(nameTaken({ name, kernel: kernel.name }));
    const diffs = await progress.step(compiling(change.units), () => compileAndCompare(request, change, scratch));
    const errors = diffs.flatMap(({ diff }) => diff.findings).filter((finding) => finding.severity === 'error');
    if (errors.length > 0) throw new LivegraftError(...(errors as [Diagnostic, ...Diagnostic[]]));
    const changed = diffs.filter(({ diff }) => diff.functions.some((f) => f.verdict === 'changed'));
    if (changed.length === 0) {
      throw new LivegraftError(functionCount({ count: diffs.reduce((sum, { diff }) => sum + diff.functions.length, 0) }));
    }
    const units = await progress.step('Proving that the rebuilt original is what was shipped', () => prove(diffs, shipped, progress));
    const { extraction, module } = await progress.step('Making the livepatch module', async () => {
      const extraction = await extract(units);
      const module = await compileModule(request, name, patches, extraction, shipped, scratch);
      return { extraction, module };
    });
    const manifest = describe(request, name, patches, units, extraction, module, shipped, [
      ...change.findings,
      ...diffs.flatMap(({ diff }) => diff.findings),
      ...extraction.findings,
    ]);
    signal?.throwIfAborted();
    const patch = Buffer.concat(request.patches.map((input) => input.bytes));
    return writeBundle(path, { manifest, module: module.bytes, glue: module.glue, patch });
  });
}

interface Change {
  readonly units: readonly Unit[];
  /** Patched files, with line marks, by path. */
  readonly files: ReadonlyMap<string, string>;
  readonly findings: readonly Diagnostic[];
}

async function readChange({ kernel, signal }: BuildRequest, patches: readonly Patch[], scratch: string): Promise<Change> {
  const aborting = signal === undefined ? {} : { signal };
  const includes = await readSourceIncludes(kernel.paths.source, join(kernel.dir, 'includes.json'), aborting);
  const scope = scopePatches(patches, includes);
  const applied = await applyPatches({ patches, source: kernel.paths.source, paths: new Set(scope.changed), scratch, ...aborting });
  const found = await findUnits(kernel, scope.units, scope.changed, signal);
  return {
    units: found.units,
    files: new Map([...applied.files].map(([path, file]) => [path, file.marked])),
    findings: [...scope.findings, ...applied.findings, ...found.findings],
  };
}

interface UnitDiff {
  readonly unit: Unit;
  readonly diff: Diff;
  /** The rebuilt original with the shipped flags. */
  readonly proof: Uint8Array;
}

async function compileAndCompare({ kernel, signal }: BuildRequest, change: Change, scratch: string): Promise<UnitDiff[]> {
  const root = join(scratch, 'tree');
  await mkdir(root);
  const tree = await makePatchedTree(kernel.paths.source, root, change.files);
  const aborting = signal === undefined ? {} : { signal };
  const requests = change.units.flatMap((unit) => [
    { kernel, unit, variant: 'pair', tree, ...aborting } as const,
    { kernel, unit, variant: 'pair', ...aborting } as const,
    { kernel, unit, variant: 'proof', ...aborting } as const,
  ]);
  const objects = await compileUnits(requests);
  return change.units.map((unit, i) => ({
    unit,
    diff: diffObjects(unit.source, readElf(objects[i * 3 + 1]!.object), readElf(objects[i * 3]!.object)),
    proof: objects[i * 3 + 2]!.object,
  }));
}

function prove(diffs: readonly UnitDiff[], shipped: ShippedObjects, progress: Progress): Promise<ChangedUnit[]> {
  return Promise.all(
    diffs.map(async ({ unit, diff, proof }) => {
      const space = await shipped.spaceFor(unit.klpObject);
      const placement = placeUnit(cutObject(readElf(proof)), space.own);
      proveReplaced(unit.source, diff, placement, space.own);
      progress.detail(unit.source);
      return { source: unit.source, diff, placement, space };
    }),
  );
}

async function compileModule(
  { kernel, replace, signal }: BuildRequest,
  name: string,
  patches: readonly Patch[],
  extraction: Extraction,
  shipped: ShippedObjects,
  scratch: string,
): Promise<BuiltModule> {
  const command = await moduleCommand(kernel, name, 'glue', signal);
  const input = join(scratch, 'glue.c');
  return makeModule({
    facts: {
      module: name,
      description: `livepatch of ${kernel.release}: ${patches.map((patch) => patch.subject ?? basename(patch.name)).join('; ')}`,
      replace,
      info: [
        ['livegraft', version],
        ['livegraft_kernel', kernel.facts.buildId],
        ['livegraft_patch', createHash('sha256').update(patches.map((patch) => patch.text).join('')).digest('hex')],
      ],
    },
    extraction,
    vmlinux: await shipped.spaceFor('vmlinux'),
    exports: shipped.image.exports,
    coreClears: shipped.image.symbols.named('clear_relocate_add').length > 0,
    compile: async (source) => {
      await writeFile(input, source);
      const flags = ['-g0'];
      return (await compileSource({ kernel, name: 'glue.c', command, input, flags, ...(signal === undefined ? {} : { signal }) })).object;
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
  findings: readonly Diagnostic[],
): Manifest {
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const { facts } = kernel;
  const cves = new Set(patches.flatMap((patch) => patch.text.match(/CVE-\d{4}-\d{4,}/g) ?? []));
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
      sha256: sha256(inputs[i]!.bytes),
    })),
    cves: [...cves].sort(),
    replace,
    targets: module.objects.map((object) => ({
      object: object.name,
      buildId: shipped.buildIdOf(object.name),
      functions: object.functions.length,
      forgets: object.forget,
    })),
    units: units.map(({ source, space, placement }) => {
      const proofs = [...placement.functions.values()];
      return {
        source,
        object: space.own.name,
        proved: { equal: proofs.filter((proof) => proof.state === 'equal').length, compared: proofs.length },
      };
    }),
    functions: extraction.replaced.map((replaced) => ({
      name: replaced.verdict.original!.name,
      object: replaced.unit.space.own.name,
      unit: replaced.unit.source,
      sympos: replacedPosition(replaced),
      oldSize: replaced.verdict.original!.size,
      newSize: replaced.verdict.patched!.size,
      why: why(replaced.verdict),
      provenance: 'equal',
    })),
    added: [
      ...extraction.added.map((each) => ({ kind: 'function' as const, name: each.name, unit: each.unit.source, size: each.size })),
      ...extraction.data.map((each) => ({ kind: 'variable' as const, name: each.name, unit: each.unit.source, size: each.size })),
    ],
    toolchain: { compiler: facts.compiler, linker: facts.linker },
    findings: findings.map(({ code, severity, place, message, hint }) => ({
      code,
      severity,
      ...(place === undefined ? {} : { place }),
      message,
      ...(hint === undefined ? {} : { hint }),
    })),
  };
}

/** The cause of a verdict in words. */
function why({ name, why: cause }: FunctionVerdict): string {
  if (cause === undefined) return 'unchanged';
  const { difference, part } = cause;
  const at = `${part ?? name}+0x${difference.offset.toString(16)}`;
  switch (difference.what) {
    case 'bytes':
      return `its code differs from ${at} on`;
    case 'size':
      return part === undefined ? `its code is longer or shorter from ${at} on` : `its cold part ${part} comes, goes or has another size`;
    case 'section':
      return 'it moves to another section';
    case 'relocations':
      return `it refers to other things from ${at} on`;
    case 'reference':
      return `it refers to something else at ${at}`;
    case 'table':
      return `${difference.table} has another entry for ${at}`;
  }
}

function bundleName({ name, patches }: BuildRequest): string {
  if (name !== undefined) {
    if (!/^[a-z0-9_]{1,55}$/.test(name)) throw new LivegraftError(nameInvalid({ name }));
    return name;
  }
  const base = basename(patches[0]!.name).replace(/\.(patch|diff|txt|eml|mbox)$/i, '');
  const plain = base.toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '');
  return `livegraft_${plain || 'patch'}`.slice(0, 55);
}

function compiling(units: readonly Unit[]): string {
  const [first] = units;
  return units.length === 1 ? `Compiling ${first!.source}, original and patched` : `Compiling ${units.length} units, original and patched`;
}
