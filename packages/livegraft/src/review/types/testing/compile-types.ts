/** BTF of a piece of C, made as for a unit: gcc writes DWARF, pahole makes BTF of it. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Btf, readBtf } from '@livegraft/binfmt/btf';
import { readElf, sectionNamed } from '@livegraft/binfmt/elf/read';

/** @param dir a folder for what is made @param flags for gcc @returns the types, and the object’s path for pahole */
export async function compileTypes(
  dir: string,
  source: string,
  flags: readonly string[] = [],
): Promise<{ readonly btf: Btf; readonly object: string }> {
  const object = join(dir, `${randomBytes(4).toString('hex')}.o`);
  await writeFile(`${object}.c`, source);
  execFileSync('gcc-12', [
    '-g',
    '-w',
    ...flags,
    '-c',
    '-fno-eliminate-unused-debug-types',
    '-o',
    object,
    `${object}.c`,
  ]);
  execFileSync('pahole', ['-J', object]);
  return { btf: readBtf(sectionNamed(readElf(await readFile(object)), '.BTF')!.data), object };
}
