/**
 * The types of a unit as the compiler laid them out: it is compiled once more, with debug information, and pahole (dwarves) makes BTF of that.
 * Only what the unit uses is in it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Btf, readBtf } from '@livegraft/binfmt/btf';
import { readElf, sectionNamed } from '@livegraft/binfmt/elf/read';
import { run } from '../support/exec.ts';
import { withTemporaryFolder } from '../support/files.ts';
import { type CompileRequest, compileSource, inputOf } from './compile.ts';

export interface TypesRequest extends Omit<CompileRequest, 'variant'> {
  /** A folder for temporary files; nothing stays in it. */
  readonly scratch: string;
}

/** @throws LivegraftError like `compileUnit`; `program-missing`, `program-failed` for pahole */
export async function unitTypes(request: TypesRequest): Promise<Btf> {
  const { kernel, unit, tree, scratch, cache, signal } = request;
  const { object } = await compileSource({
    kernel,
    name: unit.source,
    // objtool has nothing to say about types
    command: { ...unit.command, post: [] },
    input: inputOf(unit, kernel, tree),
    flags: ['-gdwarf-4', '-w'],
    ...(tree === undefined ? {} : { tree }),
    ...(cache === undefined ? {} : { cache }),
    ...(signal === undefined ? {} : { signal }),
  });
  return withTemporaryFolder(scratch, async (folder) => {
    const path = join(folder, 'unit.o');
    await writeFile(path, object);
    await run('pahole', ['-J', path], signal === undefined ? {} : { signal });
    const section = sectionNamed(readElf(await readFile(path)), '.BTF');
    return readBtf(section?.data ?? emptyBtf);
  });
}

/** A unit without a type: a header with nothing behind it. */
const emptyBtf = new Uint8Array(Uint32Array.from([0x0001eb9f, 24, 0, 0, 0, 0]).buffer);
