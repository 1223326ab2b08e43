/** `review.json`: what a reviewer is shown, for machines; `report.html` is drawn from it, the manifest and the evidence. Read back it is checked field by field. */
import * as v from 'valibot';
import { findingSchema } from './finding.ts';

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]+$/));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const list = <T extends v.GenericSchema>(of: T) => v.pipe(v.array(of), v.readonly());

/** Lines of a source file. */
const excerpt = v.object({ file: v.string(), /** Of the first, 1-based. */ line: count, lines: list(v.string()) });

/** A declaration before and after; a side that has none, or one made by a macro, is absent. */
const sourcePair = v.pipe(
  v.object({
    /** `function`, `macro`, `type`, `variable`, `other` (patch/declarations.ts). */
    kind: v.string(),
    name: v.string(),
    before: v.exactOptional(excerpt),
    after: v.exactOptional(excerpt),
  }),
  v.check(({ before, after }) => before !== undefined || after !== undefined, 'neither before nor after'),
);

const instruction = v.object({
  /** In the function, bytes. */
  offset: count,
  /** Hexadecimal. */
  bytes: v.string(),
  /** AT&T syntax, symbols in place of relocated bytes. */
  text: v.string(),
});

/** One line of both sides’ machine code; a side without an instruction there is absent. */
const codeRow = v.pipe(
  v.object({
    /** The same bytes outside of relocated fields, and fields and branches lead to the same. */
    same: v.boolean(),
    before: v.exactOptional(instruction),
    after: v.exactOptional(instruction),
  }),
  v.check(
    ({ same, before, after }) => (same ? before && after : (before ?? after)) !== undefined,
    'the same on both sides, or one side at least',
  ),
);

/** The function, or the part of it that the compiler put apart: `f.cold`. */
const codePart = v.object({ name: v.string(), rows: list(codeRow) });

/** What new code refers to. */
const reference = v.object({
  name: v.string(),
  /** `export`: resolved by the module loader; `klp`: by the livepatch core, by name and position; `own`: in the livepatch itself. */
  how: v.picklist(['export', 'klp', 'own']),
  /** Of klp symbols: `vmlinux` or a module. */
  object: v.exactOptional(v.string()),
  /** Of klp symbols; 0: the only one of its name. */
  position: v.exactOptional(count),
  /** Fields of the code that refer to it. */
  uses: count,
});

/** A section or table of the module that came along with the function: `__bug_table`, `.orc_unwind`. */
const companion = v.object({ section: v.string(), entries: count, bytes: count });

/** Why a task may stay in the function for long, or why each call counts. */
const leaving = v.object({
  kind: v.picklist(['sleeps', 'loops', 'idle', 'per-cpu', 'never-returns', 'hot', 'interrupt']),
  /** Functions on the way from the replaced one to what sleeps; the replaced one left out. */
  through: list(v.string()),
  /** One sentence. */
  text: v.string(),
});

const anyFunction = {
  name: v.string(),
  object: v.string(),
  unit: v.string(),
  /** The function’s own text, then that of the changed line which is the reason, where it is elsewhere. */
  source: list(sourcePair),
  code: list(codePart),
  references: list(reference),
  companions: list(companion),
};

const functionReview = v.object({ ...anyFunction, leaving: list(leaving) });

const newFunctionReview = v.object({
  ...anyFunction,
  /** Bytes, without the cold part. */
  size: count,
  /** Functions and tables of the livepatch that refer to it; none for a callback. */
  usedBy: list(v.string()),
});

const dataReview = v.object({
  name: v.string(),
  unit: v.string(),
  kind: v.picklist(['variable', 'static-local', 'once-flag', 'shadow-variable']),
  /** The function it belongs to. */
  function: v.exactOptional(v.string()),
  size: count,
  section: v.string(),
  /** As a person reads it: `zero`, `42`, `"text"`, or bytes. */
  initial: v.string(),
  /** What becomes of it when the livepatch is reverted or replaced, in a sentence. */
  fate: v.string(),
});

const field = v.object({
  offset: v.number(),
  /** In bits, from the byte. */ bit: count,
  bits: count,
  type: v.string(),
  name: v.string(),
});

const typeReview = v.object({
  kind: v.picklist(['struct', 'union', 'enum', 'function']),
  name: v.string(),
  unit: v.string(),
  /** Fields that changed, in order of memory; empty for enums and prototypes. */
  before: v.object({ size: count, fields: list(field), text: v.string() }),
  after: v.object({ size: count, fields: list(field), text: v.string() }),
  /** Functions that name it: replaced, and not. */
  replaced: list(v.string()),
  staying: list(v.string()),
  /** The author’s reason (LIVEGRAFT_IGNORE). */
  accepted: v.exactOptional(v.string()),
});

export const reviewSchema = v.object({
  schema: v.literal(1),
  /** The bundle’s name. */
  name: v.string(),
  /** sha256 of the module. */
  module: hash,
  verdict: v.object({
    /** `judgement`: a person must decide about the warnings. Errors stop a build: no bundle has one. */
    state: v.picklist(['clear', 'judgement']),
    sentence: v.string(),
  }),
  /** Of all stages of the build, the heaviest first. */
  findings: list(findingSchema),
  /** In the manifest’s order. */
  functions: list(functionReview),
  /** Functions that come along, in the manifest's order. */
  added: list(newFunctionReview),
  data: list(dataReview),
  types: list(typeReview),
});

export type Review = v.InferOutput<typeof reviewSchema>;
export type FunctionReview = v.InferOutput<typeof functionReview>;
export type NewFunctionReview = v.InferOutput<typeof newFunctionReview>;
export type CodeRow = v.InferOutput<typeof codeRow>;
export type CodePart = v.InferOutput<typeof codePart>;
export type SourcePair = v.InferOutput<typeof sourcePair>;
export type SymbolUse = v.InferOutput<typeof reference>;
export type Companion = v.InferOutput<typeof companion>;
export type Leaving = v.InferOutput<typeof leaving>;
export type DataReview = v.InferOutput<typeof dataReview>;
export type TypeReview = v.InferOutput<typeof typeReview>;
