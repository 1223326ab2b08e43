/** `manifest.json`: what a bundle is, for machines and for whoever must answer for loading it. Versioned; read back it is checked field by field. */
import * as v from 'valibot';
import { findingSchema } from './finding.ts';

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]+$/));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** One side of a function's first difference. */
const listing = v.pipe(
  v.array(v.object({ offset: count, bytes: v.string(), text: v.string(), differs: v.optional(v.literal(true)) })),
  v.readonly(),
);

export const manifestSchema = v.object({
  schema: v.literal(1),
  /** The module's name, and the bundle's. */
  name: v.pipe(v.string(), v.regex(/^[a-z0-9_]{1,55}$/)),
  /** Version of livegraft that built it. */
  livegraft: v.string(),
  kernel: v.object({
    name: v.string(),
    release: v.string(),
    /** GNU build-id of the image. */
    buildId: hash,
    vermagic: v.string(),
    /** sha256 of its configuration. */
    configHash: hash,
    banner: v.string(),
  }),
  module: v.object({ file: v.string(), size: count, sha256: hash, buildId: hash }),
  /** In the order of patch.diff, which is all of them one behind the other; `size` (bytes) is absent in bundles of livegraft 0.1. */
  patches: v.array(
    v.object({ name: v.string(), subject: v.optional(v.string()), size: v.optional(count), sha256: hash }),
  ),
  cves: v.array(v.string()),
  replace: v.boolean(),
  /** klp objects, `vmlinux` first. */
  targets: v.array(v.object({ object: v.string(), buildId: v.string(), functions: count, forgets: v.boolean() })),
  units: v.array(
    v.object({
      source: v.string(),
      object: v.string(),
      /** Functions of the rebuilt original that equal the shipped code, of all that were compared. */
      proved: v.object({
        equal: count,
        compared: count,
        /** How each function of the unit compares with the shipped code; absent in bundles of livegraft 0.1. */
        functions: v.optional(v.record(v.string(), v.picklist(['equal', 'overridden', 'start-up']))),
      }),
    }),
  ),
  functions: v.array(
    v.object({
      name: v.string(),
      object: v.string(),
      unit: v.string(),
      sympos: count,
      /** Bytes of code. */
      oldSize: count,
      newSize: count,
      /** Why it is not as it was: the chain of `causes` as one clause. */
      why: v.string(),
      /** From the function back to a changed line, as far as there is evidence; absent in bundles of livegraft 0.1. */
      causes: v.optional(v.pipe(v.array(v.looseObject({ kind: v.string() })), v.readonly())),
      /** The first instructions that differ. */
      first: v.optional(
        v.object({
          name: v.string(),
          offset: count,
          original: listing,
          patched: listing,
          beside: v.optional(v.object({ name: v.string(), original: v.string(), patched: v.string() })),
        }),
      ),
      /** The rebuilt original equals the shipped code; the build stops otherwise. */
      provenance: v.literal('equal'),
    }),
  ),
  /** New functions and variables that came along. */
  added: v.array(
    v.object({ kind: v.picklist(['function', 'variable']), name: v.string(), unit: v.string(), size: count }),
  ),
  /** What the patch says by livegraft.h; each absent where it says nothing, and in bundles of livegraft 0.1. */
  callbacks: v.optional(
    v.array(
      v.object({
        object: v.string(),
        unit: v.string(),
        kind: v.picklist(['pre_patch', 'post_patch', 'pre_unpatch', 'post_unpatch']),
        function: v.string(),
      }),
    ),
  ),
  states: v.optional(v.array(v.object({ id: count, version: count }))),
  /** Functions that are replaced although their code is what it was, and why. */
  forced: v.optional(v.array(v.object({ unit: v.string(), name: v.string(), reason: v.string() }))),
  /** Changes that are left out, and why. */
  ignored: v.optional(v.array(v.object({ unit: v.string(), name: v.string(), reason: v.string() }))),
  /** What the check of the finished module compared; absent without BTF and in bundles of livegraft 0.1. */
  verified: v.optional(v.object({ functions: count, instructions: count, references: count, undecided: count })),
  toolchain: v.object({ compiler: v.string(), linker: v.string() }),
  findings: v.array(findingSchema),
});

export type Manifest = v.InferOutput<typeof manifestSchema>;
