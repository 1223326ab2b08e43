/** A finding as files of a bundle hold it (diagnostics/diagnostic.ts). */
import * as v from 'valibot';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const findingSchema = v.object({
  code: v.string(),
  severity: v.picklist(['error', 'warning', 'note']),
  place: v.exactOptional(v.string()),
  message: v.string(),
  hint: v.exactOptional(v.string()),
  spots: v.exactOptional(
    v.pipe(
      v.array(
        v.object({
          file: v.string(),
          line: count,
          side: v.picklist(['original', 'patched']),
          what: v.string(),
          excerpt: v.exactOptional(v.object({ first: count, lines: v.pipe(v.array(v.string()), v.readonly()) })),
        }),
      ),
      v.readonly(),
    ),
  ),
  functions: v.exactOptional(v.pipe(v.array(v.string()), v.readonly())),
});

export type StatedFinding = v.InferOutput<typeof findingSchema>;

export function stated({ code, severity, place, message, hint, spots, functions }: Diagnostic): StatedFinding {
  return {
    code,
    severity,
    ...(place === undefined ? {} : { place }),
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(spots === undefined ? {} : { spots }),
    ...(functions === undefined ? {} : { functions }),
  };
}
