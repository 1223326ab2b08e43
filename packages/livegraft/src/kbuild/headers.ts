/**
 * The units that a changed header changes. Who may include it is read from the source as text (patch/include-graph.ts), who does include
 * it from the compiler; a unit whose code cannot depend on the change (`preprocess.ts`) is not compiled, and one whose code comes out
 * the same is dropped at once, so that thousands of units need little memory.
 */
import { type Diagnostic, LivegraftError } from '../diagnostics/diagnostic.ts';
import { generatedCodeChange, headerUnits, notCompared } from '../diagnostics/kbuild.ts';
import { assemblyChange, copyOutside, outsideRunningKernel } from '../diagnostics/patch.ts';
import type { Kernel } from '../kernel/types.ts';
import type { IncludeGraph } from '../patch/include-graph.ts';
import { partOutside } from '../patch/scope.ts';
import type { Progress } from '../support/progress.ts';
import { compileUnit } from './compile.ts';
import type { UnitObjects } from './objects.ts';
import { offsetsOf } from './offsets.ts';
import { inPool } from './pool.ts';
import { type DependenceReader, mayMention } from './preprocess.ts';
import type { PatchedTree } from './tree.ts';
import type { UnitSource } from './types.ts';
import { type IndexedText, type IndexedUnit, sourceOf, type UnitIndex, unitOf } from './unit-index.ts';

export interface Candidates {
  /** All files that may include one of the headers. */
  readonly reached: ReadonlySet<string>;
  readonly units: readonly IndexedUnit[];
  /** Units that are not part of the running kernel. */
  readonly outside: readonly IndexedUnit[];
  readonly texts: readonly IndexedText[];
  /** Files that include a header, and of which kbuild did not say how it treats them. */
  readonly unknown: readonly string[];
  /** Programs of the build. */
  readonly host: readonly string[];
}

/**
 * Everything of this configuration that may include one of the headers.
 * @param known .c files that are compiled anyway
 */
export function candidatesOf(
  index: UnitIndex,
  graph: IncludeGraph,
  headers: readonly string[],
  known: ReadonlySet<string>,
  root: string,
): Candidates {
  const reached = new Set([...graph.includersOf(headers), ...headers]);
  const forced = (one: IndexedUnit | IndexedText): boolean => {
    const { compile } = one.commandOf();
    return compile.some((word, i) => compile[i - 1] === '-include' && reached.has(word.slice(root.length + 1)));
  };
  const may = (one: IndexedUnit | IndexedText): boolean =>
    !known.has(one.source) && (reached.has(one.source) || forced(one));
  const units = index.units.filter(may).sort((a, b) => (a.source < b.source ? -1 : 1));
  return {
    reached,
    units: units.filter((unit) => partOutside(unit.source, 'x86') === undefined),
    outside: units.filter((unit) => partOutside(unit.source, 'x86') !== undefined),
    texts: index.texts.filter((text) => may(text) && partOutside(text.source, 'x86') === undefined),
    unknown: index.unknown
      .filter((path) => partOutside(path, 'x86') === undefined)
      .flatMap((path) => [`${path}.c`, `${path}.S`].filter((file) => reached.has(file))),
    host: index.host.filter((file) => graph.includesByPath(file, headers)),
  };
}

export interface HeaderRequest {
  readonly kernel: Kernel;
  readonly candidates: Candidates;
  /** The changed headers; those that the patch adds are in `added` too. */
  readonly headers: readonly string[];
  readonly added: ReadonlySet<string>;
  /** Only code that mentions one of these can depend on the change (`localChange`); absent when that is not so. */
  readonly names?: ReadonlySet<string>;
  readonly tree: PatchedTree;
  readonly dependences: DependenceReader;
  /** Whether the differ sees a change that matters: a unit without one is dropped. */
  readonly differs: (source: string, original: Uint8Array, patched: Uint8Array) => boolean;
  /** A folder for temporary files; nothing stays in it. */
  readonly scratch: string;
  readonly cache?: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

export interface HeaderUnits {
  readonly units: readonly UnitObjects[];
  readonly findings: readonly Diagnostic[];
}

/**
 * @throws LivegraftError `assembly-change`, `outside-running-kernel`, `generated-code-change`, `does-not-compile`, `unit-shared` … (exit 4)
 */
export async function compileHeaderUnits(request: HeaderRequest): Promise<HeaderUnits> {
  const { candidates, headers, progress } = request;
  const names = headers.join(', ');
  const [first, ...more] = candidates.host.map((source) => generatedCodeChange({ source, headers: names }));
  if (first !== undefined) throw new LivegraftError(first, ...more);
  const findings: Diagnostic[] = candidates.unknown.map((source) => notCompared({ source, headers: names }));
  findings.push(...(await checkOthers(request)));

  let [done, including, compiled, changed] = [0, 0, 0, 0];
  const { units } = candidates;
  const kept = await progress.step(`Find the units that use what changed in ${names}`, (inner) =>
    inPool(
      units,
      async (indexed, signal) => {
        const unit = sourceOf(indexed);
        const state = await follow(request, unit, signal);
        done++;
        if (state.kind !== 'elsewhere') including++;
        if (state.kind === 'same' || state.kind === 'changed') compiled++;
        if (state.kind === 'changed') changed++;
        inner.detail(`${done} of ${units.length} units, ${compiled} compiled, ${changed} changed`);
        if (state.kind !== 'changed') return undefined;
        const { kernel } = request;
        const cache = request.cache === undefined ? {} : { cache: request.cache };
        const proof = await compileUnit({ kernel, unit, variant: 'proof', signal, ...cache });
        return { unit: unitOf(indexed), proof: proof.object, original: state.original, patched: state.patched };
      },
      request.signal,
    ),
  );
  findings.push(headerUnits({ headers: names, including, compiled, changed }));
  return { units: kept.filter((one) => one !== undefined), findings };
}

type State =
  | { readonly kind: 'elsewhere' | 'unused' | 'same' }
  | { readonly kind: 'changed'; readonly original: Uint8Array; readonly patched: Uint8Array };

/** How far a change of the headers goes into one unit. */
async function follow(request: HeaderRequest, unit: UnitSource, signal: AbortSignal): Promise<State> {
  const { kernel, tree } = request;
  const used = await uses(request, unit, 'code', signal);
  if (used !== 'used') return { kind: used };
  const common = {
    kernel,
    unit,
    variant: 'pair',
    signal,
    ...(request.cache === undefined ? {} : { cache: request.cache }),
  } as const;
  const original = (await compileUnit(common)).object;
  const patched = (await compileUnit({ ...common, tree })).object;
  if (Buffer.compare(original, patched) === 0 || !request.differs(unit.source, original, patched))
    return { kind: 'same' };
  return { kind: 'changed', original, patched };
}

async function uses(
  { headers, added, names, tree, dependences }: HeaderRequest,
  unit: UnitSource,
  how: 'code' | 'text',
  signal: AbortSignal,
): Promise<'elsewhere' | 'unused' | 'used'> {
  const before = await dependences.read(unit, how, undefined, signal);
  const reads = headers.some((header) => added.has(header) || before.files.includes(`@source/${header}`));
  if (!reads) return 'elsewhere';
  if (how === 'code' && names !== undefined && !mayMention(before, names)) return 'unused';
  const after = await dependences.read(unit, how, tree, signal);
  return before.digest === after.digest ? 'unused' : 'used';
}

/** Assembly, linker scripts, tables of offsets, and code that is not of the running kernel: nothing of it may change. */
async function checkOthers(request: HeaderRequest): Promise<readonly Diagnostic[]> {
  const { kernel, candidates, headers, tree, scratch, progress, signal } = request;
  const path = headers.join(', ');
  const others = [...candidates.texts, ...candidates.outside];
  if (others.length === 0) return [];
  const findings = await progress.step('Check assembly, linker scripts and the vDSO', () =>
    inPool(
      others,
      async (one, inner): Promise<Diagnostic | undefined> => {
        const kind = 'kind' in one ? one.kind : 'c';
        const how = kind === 'c' || kind === 'offsets' ? 'code' : 'text';
        if ((await uses(request, sourceOf(one), how, inner)) !== 'used') return undefined;
        const { source } = one;
        if (kind === 'offsets') {
          const unit = sourceOf(one);
          const numbers = (tree?: PatchedTree): Promise<string> => offsetsOf(kernel, unit, tree, scratch, inner);
          return (await numbers()) === (await numbers(tree))
            ? undefined
            : generatedCodeChange({ source, headers: path });
        }
        if (kind !== 'c') return assemblyChange({ path: source, headers: path });
        const part = partOutside(source, 'x86')!;
        if (part.includes('vDSO')) return outsideRunningKernel({ path, part: `${part} (${source} includes it)` });
        return copyOutside({ path, unit: source, part });
      },
      signal,
    ),
  );
  const found = findings.filter((finding) => finding !== undefined);
  const [first, ...more] = found.filter((finding) => finding.severity === 'error');
  if (first !== undefined) throw new LivegraftError(first, ...more);
  return found;
}
