/** Both sides of a piece of C as a reviewed unit: code as in a pair, types as for a unit. Where it is in a kernel is left open. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readElf } from '@livegraft/binfmt/elf/read';
import { diffObjects } from '../../../objdiff/diff.ts';
import type { ReviewedUnit } from '../../subject.ts';
import { compileTypes } from './compile-types.ts';

/** @param dir a folder for what is made */
export async function compileUnitOf(
  dir: string,
  original: string,
  patched: string,
): Promise<Pick<ReviewedUnit, 'source' | 'text' | 'diff'> & Required<Pick<ReviewedUnit, 'types'>>> {
  const [before, after] = [await compileCode(dir, original), await compileCode(dir, patched)];
  const types = {
    original: (await compileTypes(dir, original, ['-O2'])).btf,
    patched: (await compileTypes(dir, patched, ['-O2'])).btf,
  };
  return { source: 'a.c', text: { original, patched }, diff: diffObjects('a.c', before, after), types };
}

async function compileCode(dir: string, source: string) {
  const object = join(dir, `${randomBytes(4).toString('hex')}.o`);
  await writeFile(`${object}.c`, source);
  const flags = ['-O2', '-w', '-ffunction-sections', '-fdata-sections', '-fno-pic', '-mcmodel=kernel'];
  const include = join(import.meta.dirname, '../../../../kernel/include');
  execFileSync('gcc-12', [...flags, `-I${include}`, '-c', '-o', object, `${object}.c`]);
  return readElf(await readFile(object));
}
