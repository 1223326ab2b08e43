/** The source of a patched kernel as explanations need it: what the patch changed, and which names a piece of code uses. */
import type { PatchedFile } from '../patch/apply.ts';
import { type ChangedDeclaration, changedDeclarations } from '../patch/changes.ts';
import { type Declaration, declarationsOf, usesOf } from '../patch/declarations.ts';

export class SourceView {
  readonly #changes: readonly ChangedDeclaration[];
  readonly #patched: ReadonlyMap<string, PatchedFile>;
  readonly #read: (path: string) => Promise<string | undefined>;
  readonly #parsed = new Map<string, Promise<readonly Declaration[]>>();

  /** @param read a file of the kernel's own source, as a byte string */
  constructor(patched: ReadonlyMap<string, PatchedFile>, read: (path: string) => Promise<string | undefined>) {
    this.#patched = patched;
    this.#read = read;
    this.#changes = [...patched.values()].flatMap((file) =>
      changedDeclarations(file.path, file.original, file.patched),
    );
  }

  /** What changed in a unit's own file, in headers, and in files that are no unit (other .c files have names of their own). */
  changesFor(unit: string, units: ReadonlySet<string>): readonly ChangedDeclaration[] {
    return this.#changes.filter(({ file }) => file === unit || !units.has(file));
  }

  /** The functions, macros and types of some files, both sides of those that the patch changes. */
  async namesIn(files: readonly string[]): Promise<Names> {
    const uses = new Map<string, Set<string>>();
    const macros = new Set<string>();
    const types = new Set<string>();
    for (const file of files) {
      for (const declaration of await this.#declarations(file)) {
        const { kind } = declaration;
        // of types only those beside the change: in the end every structure of the kernel leads to every other
        const isType = kind === 'type' && this.#patched.has(file);
        if (kind !== 'function' && kind !== 'macro' && !isType) continue;
        for (const name of declaration.names) {
          if (kind === 'macro') macros.add(name);
          if (kind === 'type') types.add(name);
          const known = uses.get(name) ?? new Set();
          for (const used of usesOf(declaration)) known.add(used);
          uses.set(name, known);
        }
      }
    }
    return { uses, macros, types };
  }

  /** The files that the patch changes. */
  get patchedFiles(): readonly string[] {
    return [...this.#patched.keys()];
  }

  #declarations(path: string): Promise<readonly Declaration[]> {
    const known = this.#parsed.get(path) ?? this.#parse(path);
    this.#parsed.set(path, known);
    return known;
  }

  async #parse(path: string): Promise<readonly Declaration[]> {
    const file = this.#patched.get(path);
    const texts = file === undefined ? [await this.#read(path)] : [file.original, file.patched];
    return texts.flatMap((text) => (text === undefined ? [] : declarationsOf(text)));
  }
}

export interface Names {
  /** Function, macro or type → the identifiers in its text. */
  readonly uses: ReadonlyMap<string, ReadonlySet<string>>;
  readonly macros: ReadonlySet<string>;
  /** In files that the patch changes. */
  readonly types: ReadonlySet<string>;
}
