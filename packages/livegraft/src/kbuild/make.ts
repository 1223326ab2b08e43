/** Runs kbuild in a kernel's build tree: one at a time, always with the same variables, and never with a changed configuration. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { configDrifted } from '../diagnostics/kbuild.ts';
import { kbuildArguments } from '../kernel/prepare.ts';
import { toolchainOf } from '../kernel/toolchain.ts';
import type { Kernel } from '../kernel/types.ts';
import { type RunResult, tryRun } from '../support/exec.ts';
import { withLock } from '../support/lock.ts';

/** Milliseconds that another build of the same kernel may take before we give up on its build tree. */
const patience = 300_000;

const pinned = ['include/config/auto.conf', 'include/generated/autoconf.h'];

/** Work in the build tree that no other livegraft disturbs. */
export function withBuildTree<T>(kernel: Kernel, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const options = {
    what: `the build tree of ${kernel.name}`,
    wait: patience,
    ...(signal === undefined ? {} : { signal }),
  };
  return withLock(`${kernel.paths.build}.lock`, options, work);
}

/**
 * Runs `make TARGETS` in the build tree, which the caller holds (`withBuildTree`).
 * @throws LivegraftError `config-drifted` (exit 5) when kbuild touched the configuration
 */
export async function runMake(kernel: Kernel, targets: readonly string[], signal?: AbortSignal): Promise<RunResult> {
  const before = await fingerprint(kernel);
  // MAKEFLAGS and KBUILD_* of whoever calls us would change what kbuild does
  const foreign = Object.keys(process.env).filter((name) =>
    /^(MAKE|MFLAGS|GNUMAKE|KBUILD|KCFLAGS|KCPPFLAGS|KAFLAGS|CFLAGS|CROSS_COMPILE|ARCH$|CC$|O$|M$|V$)/.test(name),
  );
  const result = await tryRun(
    'env',
    [
      ...foreign.flatMap((name) => ['-u', name]),
      'make',
      '-s',
      ...kbuildArguments(kernel.paths, kernel.release, toolchainOf(kernel.facts)),
      ...targets,
    ],
    { group: true, ...(signal === undefined ? {} : { signal }) },
  );
  const after = await fingerprint(kernel);
  const drifted = pinned.find((_, i) => before[i] !== after[i]);
  if (drifted !== undefined) throw new LivegraftError(configDrifted({ file: drifted }));
  return result;
}

function fingerprint(kernel: Kernel): Promise<(string | undefined)[]> {
  return Promise.all(
    pinned.map((file) =>
      readFile(join(kernel.paths.build, file)).then(
        (bytes) => createHash('sha256').update(bytes).digest('hex'),
        () => undefined,
      ),
    ),
  );
}

/** The lines of a compiler's or make's output that say what is wrong: the first errors, without make's own epilogue. */
export function errorLines(output: string, most = 8): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => /\b(fatal )?error:|No rule to make target|undefined reference/.test(line));
  const chosen = errors.length > 0 ? errors : lines.filter((line) => !/^make(\[\d+\])?: /.test(line));
  return (chosen.length > 0 ? chosen : lines).slice(0, most).join('\n');
}
