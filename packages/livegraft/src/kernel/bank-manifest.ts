/**
 * A bank: all packages that a build of some kernels will need, their compilers included, in one folder or one tar archive.
 *
 *   manifest.json      the kernels, and which packages make up each, by sha256
 *   debs/FILE          each package once
 */
import * as v from 'valibot';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { bankUnreadable } from '../diagnostics/kernel.ts';
import { parseJson } from '../support/json.ts';

const packageSchema = v.object({
  name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9+.-]*$/)),
  version: v.string(),
  depends: v.string(),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  // it becomes a path
  file: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9.+~_%:-]*\.deb$/)),
  shelf: v.exactOptional(v.string()),
});

const manifestSchema = v.object({
  schema: v.literal(1),
  made: v.string(),
  kernels: v.array(
    v.object({
      release: v.string(),
      version: v.string(),
      image: v.array(packageSchema),
      headers: packageSchema,
      source: packageSchema,
      /** As the banner names them. */
      compiler: v.string(),
      linker: v.string(),
      toolchain: v.array(packageSchema),
    }),
  ),
});

export type BankManifest = v.InferOutput<typeof manifestSchema>;
export type BankedKernel = BankManifest['kernels'][number];

/** Throws `bank-unreadable` (exit 4). */
export function parseBankManifest(text: string, path: string): BankManifest {
  return parseJson(
    manifestSchema,
    text,
    (problem) => new LivegraftError(bankUnreadable({ path, problem: `manifest.json${problem}` })),
  );
}
