/**
 * Whether a unit is part of a kernel's configuration. `make x.o` compiles single targets even if the configuration leaves them
 * out, so the folders' own Makefiles are asked, with kbuild's own rules (scripts/Makefile.lib), what they would build.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { toolchainOf } from '../kernel/toolchain.ts';
import type { Kernel } from '../kernel/types.ts';
import { tryRun } from '../support/exec.ts';

/** What scripts/Makefile.build does at its beginning, and then, instead of building, the list. */
const query = `src := $(obj)
include include/config/auto.conf
include $(srctree)/scripts/Kbuild.include
include $(kbuild-makefile)
include $(srctree)/scripts/Makefile.lib
$(info objects: $(real-obj-y) $(real-obj-m) $(lib-y) $(lib-m) $(extra-y) $(always-y))
.PHONY: none
none: ; @:
`;

/**
 * Asks the unit's folder whether it builds the object. Only a clear "no" counts: where a Makefile cannot be read in this way
 * (it needs more of its surroundings), the answer is true, and the comparison with the shipped code decides.
 * The folders above are not asked, since some are entered by other ways than obj-y.
 */
export async function isConfigured(kernel: Kernel, source: string, signal?: AbortSignal): Promise<boolean> {
  const object = source.replace(/\.c$/, '.o');
  for (let folder = dirname(source); folder !== '.'; folder = dirname(folder)) {
    const answer = await ask(kernel, folder, signal);
    // a folder without a Makefile of its own belongs to the one above
    if (answer === undefined) continue;
    return answer === 'unknown' || answer.has(object);
  }
  return true;
}

/** The objects a folder builds, with their paths; undefined when it has no Makefile, or one that cannot be asked. */
async function ask(
  kernel: Kernel,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<string> | undefined | 'unknown'> {
  const makefile = ['Kbuild', 'Makefile']
    .map((name) => join(kernel.paths.source, folder, name))
    .find((path) => existsSync(path));
  if (makefile === undefined) return undefined;
  const variables = {
    obj: folder,
    srctree: kernel.paths.source,
    objtree: '.',
    'kbuild-makefile': makefile,
    CC: toolchainOf(kernel.facts).cc,
    ARCH: 'x86',
    SRCARCH: 'x86',
    BITS: '64',
    KERNELRELEASE: kernel.release,
  };
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const result = await tryRun('make', ['-s', '-r', '-R', '-f', '-', ...assignments, 'none'], {
    cwd: kernel.paths.build,
    input: query,
    ...(signal === undefined ? {} : { signal }),
  });
  const objects = /^objects:(.*)$/m.exec(result.stdout)?.[1];
  if (result.exitCode !== 0 || objects === undefined) return 'unknown';
  return new Set(objects.trim().split(/\s+/));
}
