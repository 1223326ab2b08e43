/** Compiles a side of test/cases: as Debian compiles 6.1, as far as it matters to the differ, and as livegraft compiles a pair. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** One folder a case: orig.c, patched.c, expect.json. */
export const cases = fileURLToPath(new URL('../../../test/cases/', import.meta.url));

const flags =
  '-std=gnu11 -O2 -w -ffreestanding -fno-PIE -mcmodel=kernel -mno-red-zone -mno-sse -fno-common -fno-strict-aliasing ' +
  '-fno-asynchronous-unwind-tables -fno-stack-protector -fno-jump-tables -fcf-protection=none -pg -mfentry -mrecord-mcount ' +
  '-ffunction-sections -fdata-sections';

/**
 * Both sides are compiled under one name, so that __FILE__ does not tell them apart.
 * @param scratch a folder for what is made
 * @returns the path of the object
 */
export async function compileCase(scratch: string, name: string, side: 'orig' | 'patched'): Promise<string> {
  const cwd = join(scratch, name, side);
  await mkdir(cwd, { recursive: true });
  await cp(join(cases, name, `${side}.c`), join(cwd, 'unit.c'));
  const text = await readFile(join(cases, name, 'expect.json'), 'utf8');
  const { flags: more = [] }: { flags?: string[] } = JSON.parse(text);
  await run('gcc-12', [...flags.split(' '), ...more, '-c', 'unit.c', '-o', 'unit.o'], { cwd });
  return join(cwd, 'unit.o');
}
