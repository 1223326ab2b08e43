/** Files that others may have written, or cut off. */
import * as v from 'valibot';

/**
 * JSON of a known shape.
 * @param fail makes the error of what is wrong, in words that go on behind the file's name: ` is no JSON: …`, `: module.size: …`
 */
export function parseJson<const S extends v.GenericSchema>(
  schema: S,
  text: string,
  fail: (problem: string) => Error,
): v.InferOutput<S> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw fail(` is no JSON: ${(error as Error).message}`);
  }
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw fail(`: ${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`);
}
