/** What livegraft can say about a problem: one shape for findings and errors, each with a code that stays stable across releases. */

/** Exit codes of every command; `docs/exit-codes.md` explains them to users. */
export const Exit = {
  done: 0,
  failed: 1,
  usage: 2,
  nothingToDo: 3,
  refused: 4,
  provenance: 5,
  stalled: 6,
  kernelRefused: 7,
  busy: 75,
} as const;
export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** `error` stops a build; `warning` asks for a person's judgement; `note` is worth knowing. */
export type Severity = 'error' | 'warning' | 'note';

/** One of several lines that a finding is about. */
export interface Spot {
  /** Path in the source tree. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** Which source the line is counted in. */
  readonly side: 'original' | 'patched';
  /** What is there, in words: `takes &sbi->s_lock`. */
  readonly what: string;
  /** The line and those around it, for whoever has no source at hand. */
  readonly excerpt?: Excerpt;
}

/** Lines of a source file, as a person reads them. */
export interface Excerpt {
  /** Of the first, 1-based. */
  readonly first: number;
  readonly lines: readonly string[];
}

export interface Diagnostic {
  readonly code: string;
  readonly severity: Severity;
  /** The exit code a command ends with when this stops it. */
  readonly exit: ExitCode;
  /** Where: `fs/ext4/mballoc.c:1412`, `ext4_mb_load_buddy_gfp+0xbc [ext4]`, a file name … */
  readonly place?: string;
  /** The thing, what stands there, what was expected. */
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
  /** The lines to look at, where a finding is about how several fit together. */
  readonly spots?: readonly Spot[];
  /** Functions of the livepatch that it is about, by name; a report lists it with them. */
  readonly functions?: readonly string[];
  /** The same facts for machines. */
  readonly data?: Readonly<Record<string, unknown>>;
}

interface Definition<D> {
  readonly severity?: Severity;
  readonly exit?: ExitCode;
  readonly place?: (data: D) => string | undefined;
  readonly message: (data: D) => string;
  readonly hint?: string | ((data: D) => string | undefined);
  readonly spots?: (data: D) => readonly Spot[];
  readonly functions?: (data: D) => readonly string[];
}

/** One kind of problem as the table has it, for `docs/errors.md`. */
export interface DiagnosticKind {
  readonly code: string;
  readonly severity: Severity;
  readonly exit: ExitCode;
  readonly message: (data: never) => string;
  readonly hint?: string | ((data: never) => string | undefined);
}

const kinds = new Map<string, DiagnosticKind>();

/** What the modules loaded so far have defined, in that order. */
export function diagnosticKinds(): readonly DiagnosticKind[] {
  return [...kinds.values()];
}

/**
 * Adds one kind of problem to the table and returns the function that states an instance of it.
 * Each code is defined once, in the file of `diagnostics/` that its area owns.
 */
export function define<D extends Record<string, unknown>>(
  code: string,
  definition: Definition<D>,
): (data: D) => Diagnostic {
  if (kinds.has(code)) throw new Error(`diagnostic code ${code} is defined twice`);
  const { severity = 'error', exit = Exit.refused, message } = definition;
  kinds.set(code, {
    code,
    severity,
    exit,
    message,
    ...(definition.hint === undefined ? {} : { hint: definition.hint }),
  });
  return (data) => {
    const place = definition.place?.(data);
    const hint = typeof definition.hint === 'function' ? definition.hint(data) : definition.hint;
    return {
      code,
      severity,
      exit,
      ...(place === undefined ? {} : { place }),
      message: message(data),
      ...(hint === undefined ? {} : { hint }),
      ...(definition.spots === undefined ? {} : { spots: definition.spots(data) }),
      ...(definition.functions === undefined ? {} : { functions: definition.functions(data) }),
      data,
    };
  };
}

/** Stops the work with one or more diagnostics; the first decides the exit code. */
export class LivegraftError extends Error {
  override readonly name = 'LivegraftError';
  readonly diagnostics: readonly [Diagnostic, ...Diagnostic[]];

  constructor(first: Diagnostic, ...more: Diagnostic[]) {
    super(first.place === undefined ? first.message : `${first.place}: ${first.message}`);
    this.diagnostics = [first, ...more];
  }

  get code(): string {
    return this.diagnostics[0].code;
  }

  get exit(): ExitCode {
    return this.diagnostics[0].exit;
  }
}
