/**
 * The examples of `examples/`: a patch, what must come of it, and scripts that look at the kernel. A folder of a kernel series (`6.12/`) inside of
 * an example has the files that are others there, because the source is.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Script } from './try.ts';

/** `expect.json` */
const expectation = v.variant('outcome', [
  v.strictObject({
    outcome: v.literal('built'),
    /** What the manifest must say of each replaced function, at least; all of them. */
    functions: v.array(v.objectWithRest({ name: v.string() }, v.union([v.string(), v.number()]))),
    /** What comes with the patch, without the numbers that the compiler gives to names (`__already_done.5`). */
    added: v.optional(v.array(v.string()), []),
    /** Target modules are loaded after the livepatch. */
    targetsLater: v.optional(v.boolean(), false),
  }),
  v.strictObject({ outcome: v.literal('refused'), exit: v.number(), codes: v.array(v.string()) }),
  /** Kernels of the series have nothing that the example could show. */
  v.strictObject({ outcome: v.literal('absent'), why: v.pipe(v.string(), v.nonEmpty()) }),
]);

export interface Example {
  readonly name: string;
  /** The module's name. */
  readonly module: string;
  readonly patch: { readonly name: string; readonly bytes: Uint8Array };
  readonly expected: v.InferOutput<typeof expectation>;
  readonly before?: Script;
  readonly after?: Script;
  /** What must hold after the revert: what held before, unless the example says otherwise. */
  readonly reverted?: Script;
}

export async function exampleNames(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/**
 * Where a file of an example is for a kernel: in the folder of its series, or beside it.
 * @param release `uname -r`: its first two numbers are the series
 */
export function exampleFile(root: string, name: string, file: string, release: string): string | undefined {
  const series = /^\d+\.\d+/.exec(release)?.[0] ?? '';
  return [join(root, name, series, file), join(root, name, file)].find((path) => existsSync(path));
}

/** An example as it is for a kernel. */
export async function readExample(root: string, name: string, release: string): Promise<Example> {
  const read = async (file: string): Promise<{ path: string; bytes: Buffer } | undefined> => {
    const path = exampleFile(root, name, file, release);
    return path === undefined ? undefined : { path, bytes: await readFile(path) };
  };
  const script = async (file: string): Promise<Script | undefined> => {
    const found = await read(file);
    return found && { name: file, text: found.bytes.toString('utf8') };
  };
  const [patch, expected, before, after, reverted] = await Promise.all([
    read('example.patch'),
    read('expect.json'),
    script('before.sh'),
    script('after.sh'),
    script('reverted.sh'),
  ]);
  if (patch === undefined || expected === undefined)
    throw new Error(`${join(root, name)} is no example: it needs example.patch and expect.json`);
  const last = reverted ?? before;
  return {
    name,
    module: `livegraft_${name.replaceAll('-', '_')}`,
    patch: { name: patch.path, bytes: patch.bytes },
    expected: v.parse(expectation, JSON.parse(expected.bytes.toString('utf8'))),
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    ...(last === undefined ? {} : { reverted: last }),
  };
}
