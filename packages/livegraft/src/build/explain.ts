/** Why each function of a build is replaced: the chain from the compiled difference back to a changed line, as far as there is evidence. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Inlinings, inliningsOf } from '../kbuild/inlining.ts';
import { climbingFolders, type PatchedTree, withPatchedTree } from '../kbuild/tree.ts';
import type { Unit } from '../kbuild/types.ts';
import { withSignal } from '../kernel/options.ts';
import { inParallel } from '../kernel/parallel.ts';
import type { Kernel } from '../kernel/types.ts';
import type { Diff, FunctionVerdict } from '../objdiff/diff.ts';
import { type Cause, sayCauses } from '../objdiff/explain/cause.ts';
import type { FirstDifference } from '../objdiff/explain/first.ts';
import { explainFunctions } from '../objdiff/explain.ts';
import { baseName } from '../objdiff/names.ts';
import type { PatchedFile } from '../patch/apply.ts';
import type { ChangedDeclaration } from '../patch/changes.ts';
import { byteString } from '../patch/text.ts';
import { silent } from '../support/progress.ts';
import { type Names, SourceView } from './source-view.ts';
import { inlinedChange, namedChange, ownChange } from './trace.ts';

export interface ExplainRequest {
  readonly kernel: Kernel;
  readonly units: readonly { readonly unit: Unit; readonly diff: Diff }[];
  /** The files that the patch changes. */
  readonly files: ReadonlyMap<string, PatchedFile>;
  /** A folder for temporary files; nothing stays in it. */
  readonly scratch: string;
  readonly signal?: AbortSignal;
}

export interface Explanation {
  readonly causes: readonly Cause[];
  /** The chain as one clause. */
  readonly why: string;
  readonly first?: FirstDifference;
}

/** By the verdict of a changed function. */
export type Explanations = ReadonlyMap<FunctionVerdict, Explanation>;

/** For every changed function. The compiler is asked what it inlined only for units that have one whose own text did not change. */
export async function explainChanges(request: ExplainRequest): Promise<Explanations> {
  const { kernel, units, files } = request;
  const view = new SourceView(files, (path) =>
    readFile(join(kernel.paths.source, path)).then(byteString, () => undefined),
  );
  const sources = new Set(units.map(({ unit }) => unit.source));
  const changed = units.filter(({ diff }) => diff.functions.some((f) => f.verdict === 'changed'));
  const found = new Map<FunctionVerdict, Explanation>();
  const texts = new Map([...files].map(([path, file]) => [path, file.marked]));
  const climbing = changed.flatMap(({ unit }) => climbingFolders(unit, kernel.paths.source));
  const work = (tree: PatchedTree): Promise<void> =>
    inParallel(withSignal({ progress: silent }, request), async (options, branch) => {
      const queue = [...changed];
      const worker = async (): Promise<void> => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          options.signal?.throwIfAborted();
          const tracer = new Tracer(withSignal({ ...request, tree }, options), next.unit, view, sources);
          for (const [verdict, explanation] of await explainUnit(next.diff, tracer)) found.set(verdict, explanation);
        }
      };
      await Promise.all(Array.from({ length: availableParallelism() }, () => branch(worker())));
    });
  await withPatchedTree(kernel.paths.source, request.scratch, texts, work, climbing);
  return found;
}

async function explainUnit(diff: Diff, tracer: Tracer): Promise<Explanations> {
  const found = new Map<FunctionVerdict, Explanation>();
  const explained = explainFunctions(diff);
  for (const [i, verdict] of diff.functions.entries()) {
    if (verdict.verdict !== 'changed') continue;
    const { causes: seen, first } = explained[i]!;
    const causes = await tracer.causes(verdict.name, seen);
    found.set(verdict, { causes, why: sayCauses(causes), ...(first === undefined ? {} : { first }) });
  }
  return found;
}

type Side = 'neither' | 'patched' | 'original';

/** What one compilation inlined, and what the files say in which such calls stand. */
interface Report {
  readonly into: Inlinings['into'];
  readonly names: Names;
}

const nothing: Inlinings = { into: new Map(), files: [] };

interface TraceRequest extends ExplainRequest {
  readonly tree: PatchedTree;
}

/** The search within one unit. */
class Tracer {
  readonly #request: TraceRequest;
  readonly #unit: Unit;
  readonly #view: SourceView;
  readonly #changes: readonly ChangedDeclaration[];
  readonly #reports = new Map<Side, Promise<Report>>();

  constructor(request: TraceRequest, unit: Unit, view: SourceView, units: ReadonlySet<string>) {
    this.#request = request;
    this.#unit = unit;
    this.#view = view;
    this.#changes = view.changesFor(unit.source, units);
  }

  /** @param seen what the objects alone say */
  async causes(name: string, seen: readonly Cause[]): Promise<readonly Cause[]> {
    const base = baseName(name);
    const clone: readonly Cause[] = base === name ? [] : [{ kind: 'clone', name: base }];
    const [first] = seen;
    if (first?.kind === 'forced') return seen;
    const own = ownChange(base, this.#changes);
    if (own !== undefined) return [...clone, ...own];
    if (first?.kind === 'constant' || first?.kind === 'data') return [first, ...this.#variable(first.name)];
    if (first?.kind === 'beyond-ftrace') return [first, ...(await this.#trace(baseName(first.name), seen.slice(1)))];
    return [...clone, ...(await this.#trace(base, clone.length > 0 ? seen.slice(-1) : seen))];
  }

  /** The nearest first: the compiler is asked only when the function's own text does not tell. */
  async #trace(base: string, otherwise: readonly Cause[]): Promise<readonly Cause[]> {
    const own = ownChange(base, this.#changes);
    if (own !== undefined) return own;
    for (const side of ['neither', 'patched', 'original'] as const) {
      const { into, names } = await this.#report(side);
      const found = inlinedChange(base, into, this.#changes) ?? namedChange(base, into, names, this.#changes);
      if (found !== undefined) return found;
    }
    return otherwise.map((cause) => (cause.kind === 'code' ? { ...cause, kind: 'compiler' as const } : cause));
  }

  #report(side: Side): Promise<Report> {
    const known = this.#reports.get(side) ?? this.#makeReport(side);
    this.#reports.set(side, known);
    return known;
  }

  async #makeReport(side: Side): Promise<Report> {
    const { into, files } = side === 'neither' ? nothing : await this.#ask(side);
    const isNamed = this.#changes.some(({ kind }) => kind === 'macro' || kind === 'type' || kind === 'variable');
    const read = isNamed ? [this.#unit.source, ...this.#view.patchedFiles, ...files] : [];
    return { into, names: await this.#view.namesIn([...new Set(read)]) };
  }

  #variable(name: string): readonly Cause[] {
    const change = this.#changes.find(({ kind, names }) => kind === 'variable' && names.includes(baseName(name)));
    return change === undefined ? [] : [{ kind: 'source', file: change.file, line: change.line }];
  }

  #ask(side: 'patched' | 'original'): Promise<Inlinings> {
    const { kernel, scratch, tree } = this.#request;
    const common = withSignal({ kernel, unit: this.#unit, scratch }, this.#request);
    return inliningsOf(side === 'original' ? common : { ...common, tree });
  }
}
