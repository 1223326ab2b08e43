/** A folder of its own for tests that give the program bad input, and what all of them expect of it. */
import { mkdtempSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { Kernel } from '../kernel/types.ts';
import { compileProgram, livegraft, type Ran, type RunSettings } from './program.ts';
import type { Edits } from './source-patch.ts';

export interface Workplace {
  readonly dir: string;
  /** Where `build` puts bundles; gone after each test. */
  readonly out: string;
  /** Writes the patch and runs `livegraft build` on it. */
  build(content: string | Uint8Array, settings?: RunSettings, ...more: string[]): Promise<Ran>;
  /** Nothing but the message: no result, no output folder, no unfinished work, no process. */
  expectRefused(ran: Ran, exit: number, ...words: (string | RegExp)[]): Promise<void>;
}

/** A file with one small function, and a change of it that builds. */
export const cmdline = 'fs/proc/cmdline.c';
export const good: Edits = { [cmdline]: ["seq_putc(m, '\\n');", 'seq_puts(m, " livegraft\\n");'] };

/** Makes the folder and arranges for its removal; called once, at the top of a test file. */
export function workplace(kernel: Kernel): Workplace {
  const dir = mkdtempSync(join(tmpdir(), 'livegraft-bad-input-'));
  const out = join(dir, 'out');
  beforeAll(compileProgram);
  afterEach(() => rm(out, { recursive: true, force: true }));
  afterAll(() => rm(dir, { recursive: true, force: true }));
  return {
    dir,
    out,
    async build(content, settings = {}, ...more) {
      const patch = join(dir, 'input.patch');
      await writeFile(patch, content, 'latin1');
      return livegraft(['build', patch, '--kernel', kernel.name, '-o', out, '--quiet', ...more], settings);
    },
    async expectRefused(ran, exit, ...words) {
      // as it is, or as one line: where it breaks depends on the length of paths
      const line = ran.stderr.replace(/\s+/g, ' ');
      for (const word of words) expect(`${ran.stderr}\n${line}`).toMatch(word);
      expect({ ...ran, stderr: '' }).toEqual({ exit, stdout: '', stderr: '', processes: [], files: [] });
      expect(await readdir(out).catch(() => [])).toEqual([]);
    },
  };
}
