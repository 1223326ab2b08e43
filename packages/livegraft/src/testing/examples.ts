/** The examples, as the tests' kernel needs them. */
import { fileURLToPath } from 'node:url';
import type { Kernel } from '../kernel/types.ts';
import { exampleFile, readExample } from '../trial/example.ts';

export const examplesFolder = fileURLToPath(new URL('../../../../examples', import.meta.url));

/** The path of an example's patch. */
export function examplePatch({ release }: Pick<Kernel, 'release'>, name: string, file = 'example.patch'): string {
  const path = exampleFile(examplesFolder, name, file, release);
  if (path === undefined) throw new Error(`${name} has no ${file} for ${release}`);
  return path;
}

/** What readers of an empty pipe sleep in: `pipe_read`, or `anon_pipe_read` in newer kernels; the function that sleeping-reader replaces. */
export async function pipeReader(kernel: Kernel): Promise<string> {
  const { expected } = await readExample(examplesFolder, 'sleeping-reader', kernel.release);
  if (expected.outcome !== 'built') throw new Error(`sleeping-reader is not built for ${kernel.release}`);
  return expected.functions[0]!.name;
}
